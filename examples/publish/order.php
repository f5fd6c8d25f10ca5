<?php
// Tells every page that subscribed to "orders" of a new order, with its number and sum: the line to add where a site stores it.
//     php order.php 4711 19.90
// It writes the event's file, as a web site's own PHP can, on the same machine. The file is renamed into its place, so that
// nobody sees half of it; until then its name is that of no event, and of this process alone.
function publish(string $event, mixed $data): void
{
    $file = (getenv('COMET_FILE_DIRECTORY') ?: '/dev/shm') . "/$event.comet";
    $new = "$file." . getmypid();
    file_put_contents($new, json_encode($data, JSON_THROW_ON_ERROR));
    rename($new, $file);
}

publish('orders', ['number' => (int) $argv[1], 'sum' => (float) $argv[2]]);
