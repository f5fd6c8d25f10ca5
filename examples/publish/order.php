<?php
// Publishes a new order, with its number and sum, as the event "orders":
//     php order.php 4711 19.90
// Copy the function into your site, and call it where the site stores an order. It writes the file of the
// event, so it runs on the web server's machine. It renames a complete file, so that no page gets half of it.
// The touch is for comet.php's own pages: they count in whole seconds, and may already have an answer about
// the second in which the file was written.
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
