<?php
// Tells every page that subscribed to "orders" of a new order, with its number and sum: the line to add where a site stores it.
//     php order.php 4711 19.90
// It writes the event's file, as a web site's own PHP can, on the same machine. The file is renamed into its place, so that
// nobody sees half of it, and touched there: comet.php's own pages, which count in whole seconds, may by then have been told of
// the second in which it was written.
function publish(string $event, mixed $data): void
{
    $json = json_encode($data, JSON_THROW_ON_ERROR);
    $file = (getenv('COMET_FILE_DIRECTORY') ?: '/dev/shm') . "/$event.comet";
    $new = tempnam(dirname($file), ".$event-");
    file_put_contents($new, $json);
    chmod($new, 0664);
    rename($new, $file);
    touch($file);
}

publish('orders', ['number' => (int) $argv[1], 'sum' => (float) $argv[2]]);
