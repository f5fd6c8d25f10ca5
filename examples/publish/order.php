<?php
// Publishes a new order, with its number and sum, as the event "orders":
//     php order.php 4711 19.90
// It writes the file of the event, so it runs on the web server's machine.
require __DIR__ . '/novcomet.php';

$comet = new NovComet(getenv('COMET_FILE_DIRECTORY') ?: '/dev/shm');
$comet->publish('orders', ['number' => (int) $argv[1], 'sum' => (float) $argv[2]]);
