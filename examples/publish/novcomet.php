<?php
declare(strict_types=1);

/**
 * NovComet for PHP 7.4 and later: publishes events, makes tokens, and renders the script of a page. Copy this
 * file to your site. It needs no extension, except openssl for https.
 *
 *     require 'novcomet.php';
 *     (new NovComet())->publish('orders', ['number' => 4711]);
 *     (new NovComet('https://www.example.com/comet.php'))->publish('orders', ['number' => 4711]);
 *
 * The first line publishes by the file, on the web server's machine. The second publishes by URL, from any
 * machine; publish.allow in comet.yaml must allow it. With the store memcached or Redis, publish by URL.
 *
 * If a publication fails, publish throws an exception: an InvalidArgumentException if the call is wrong, else
 * a RuntimeException. The code of that is the HTTP status of the answer, such as 429, or 0.
 */
final class NovComet
{
    /** The longest data in bytes: data.max_bytes in comet.yaml. */
    public int $maxBytes = 65536;

    /** How many seconds publish waits: for other publications by the file, or for the server. */
    public float $timeout = 10.0;

    private const SEVERAL_USERS = 'Publish as the user of comet-fcgi, or set a common group up: '
        . 'see "Several users" in examples/publish/README.md';

    private string $target;

    /**
     * @param string $target the directory of the events, file.directory in comet.yaml; or the URL of
     *     comet.php, which may have a user and a password: https://user:password@www.example.com/comet.php
     */
    public function __construct(
        #[\SensitiveParameter]
        string $target = '/dev/shm'
    ) {
        $isURL = preg_match('~^https?://[^\s?#]+$~Di', $target) && parse_url($target, PHP_URL_HOST);
        if (!$isURL && !preg_match('~^/[^\0]*$~D', $target)) {
            throw new InvalidArgumentException('NovComet needs the absolute path of the directory of the events, '
                . 'or the URL of comet.php without a query');
        }
        $this->target = $target;
    }

    /** Publishes an event. The data is what json_encode accepts. Without $data, the event keeps its data. */
    public function publish(string $event, $data = null): void
    {
        if (!preg_match('~^[^./\p{Cc}][^/\p{Cc}]*$~Du', $event) || strlen($event) > 200) {
            throw new InvalidArgumentException('the id ' . self::quote($event) . ' is not allowed: use 1 to 200 bytes '
                . 'of UTF-8 without "/", control characters and a dot at the start');
        }
        $json = func_num_args() > 1 ? $this->encode($event, $data) : null;
        $this->target[0] === '/' ? $this->publishFile($event, $json) : $this->publishByURL($event, $json);
    }

    /**
     * Makes a token, which permits a page to subscribe to the events that match the pattern. In the pattern,
     * <user> stands for the name or number of the user, in which no character is special. After <user>, put a
     * character that no name contains: with "private-<user>-*", ann can also see the events of a user ann-b.
     *
     * @param string $secretFile subscribe.secret_file in comet.yaml, which this program must be able to read
     */
    public static function token(string $secretFile, string $pattern, string $user = '', int $seconds = 3600): string
    {
        if (strpos($pattern, '<user>') !== false) {
            if ($user === '') {
                throw new InvalidArgumentException("the pattern $pattern needs a user: log in before you make a token");
            }
            if (strpbrk($pattern, '[\\') !== false) { // There, characters of a name could be special.
                throw new InvalidArgumentException('a pattern with <user> must not contain brackets or backslashes');
            }
        }
        $pattern = str_replace('<user>', addcslashes($user, '\\*?['), $pattern);
        if (!preg_match('~^[^/\p{Cc}]+$~Du', $pattern)) {
            throw new InvalidArgumentException('no id can match the pattern ' . self::quote($pattern));
        }
        $expiry = time() + $seconds;
        return "$expiry." . hash_hmac('sha256', "$expiry\n$pattern", self::readSecret($secretFile)) . ".$pattern";
    }

    /**
     * Returns the HTML that loads the client and calls its init. Scripts after it can call
     * NovComet.subscribe(…).run(). The options are:
     *
     *  - src: the URL of the client; default /novcomet.js
     *  - token: a token. After it has expired, the page gets no more events
     *  - renew: instead of token, the URL of a page of yours that prints a new token. The client requests it
     *    at the start, and when the token has expired
     *  - nonce: the nonce of your Content-Security-Policy
     *
     * A page with a token must not be stored in a cache that several users share.
     */
    public static function script(string $endpoint = '/comet.php', array $options = []): string
    {
        $unknown = array_diff(array_keys($options), ['src', 'token', 'renew', 'nonce']);
        if ($unknown || isset($options['token'], $options['renew'])) {
            throw new InvalidArgumentException('the options are src, token or renew, and nonce');
        }
        $hex = JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_APOS | JSON_HEX_QUOT;
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | $hex;
        $js = static fn (string $text): string => json_encode($text, $flags);
        $html = static fn (string $text): string => htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
        $token = '';
        if (isset($options['token'])) {
            $token = ', { token: ' . $js($options['token']) . ' }';
        } elseif (isset($options['renew'])) {
            $token = ', { token: () => fetch(' . $js($options['renew']) . ', { cache: "no-store" }).then((answer) => '
                . 'answer.ok ? answer.text() : Promise.reject(new Error("no token: HTTP " + answer.status))) }';
        }
        $nonce = isset($options['nonce']) ? ' nonce="' . $html($options['nonce']) . '"' : '';
        return '<script src="' . $html($options['src'] ?? '/novcomet.js') . "\"$nonce></script>\n"
            . "<script$nonce>NovComet.init(" . $js($endpoint) . "$token);</script>\n";
    }

    private function encode(string $event, $data): string
    {
        try {
            $json = json_encode($data, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES, 100);
        } catch (JsonException $e) {
            throw new InvalidArgumentException('the data of ' . self::quote($event) . ' cannot be JSON: '
                . $e->getMessage() . '. Use UTF-8, and at most 100 levels', 0, $e);
        }
        if (strlen($json) > $this->maxBytes) {
            throw new InvalidArgumentException('the data of ' . self::quote($event) . ' has ' . strlen($json)
                . " bytes of JSON, at most $this->maxBytes are allowed: publish less, such as a number with which the "
                . 'page asks your site for the rest, or raise data.max_bytes in comet.yaml and $maxBytes here');
        }
        return $json;
    }

    /**
     * Publishes as comet-fcgi does: one publication at a time, with a lock of the directory. The kernel sets
     * the time of the file.
     */
    private function publishFile(string $event, ?string $json): void
    {
        $file = "$this->target/$event.comet";
        $directory = $this->lock();
        try {
            clearstatcache();
            $exists = file_exists($file);
            if (is_link($file) || $exists && !is_file($file)) {
                throw new RuntimeException("$file is not a regular file: remove it");
            }
            // Two changes with the same time are one publication. Before Linux 6.13, the time of files
            // advances every 1 to 10 ms. PHP sees only whole seconds, so it waits after each recent change.
            if ($wait = $exists && filemtime($file) >= time() - 1) {
                usleep(20000);
            }
            if ($json !== null) {
                $this->replace($file, "$this->target/.novcomet-$event", $json);
            } elseif ($exists) {
                self::attempt(fn () => touch($file), self::SEVERAL_USERS);
            } else {
                self::attempt(fn () => fopen($file, 'x'), self::SEVERAL_USERS);
                self::attempt(fn () => chmod($file, 0664));
            }
        } finally {
            fclose($directory);
            if ($wait ?? false) {
                usleep(10000); // Otherwise, a script that publishes in a loop would keep others from the lock.
            }
        }
    }

    /**
     * Locks the directory until the result is closed.
     *
     * @return resource
     */
    private function lock()
    {
        $directory = self::attempt(fn () => fopen($this->target, 'r'), 'NovComet needs the directory of the events, '
            . 'which file.directory in comet.yaml names, and the right to read it');
        $end = hrtime(true) + (int) ($this->timeout * 1e9);
        while (!flock($directory, LOCK_EX | LOCK_NB)) {
            if (hrtime(true) >= $end) {
                throw new RuntimeException("another program has locked $this->target for $this->timeout s: "
                    . 'end it (fuser shows it), or try again');
            }
            usleep(1000);
        }
        return $directory;
    }

    /**
     * Writes a new file and then renames it to that of the event, so that no page gets half of the data. A
     * file whose name starts with a dot is no event.
     */
    private function replace(string $file, string $new, string $json): void
    {
        if (file_exists($new)) { // Its publisher was killed.
            self::attempt(fn () => unlink($new), self::SEVERAL_USERS);
        }
        $umask = umask(0077); // Nobody else reads the file until it has the mode of the event's file.
        try {
            $stream = self::attempt(fn () => fopen($new, 'x'), self::SEVERAL_USERS);
        } finally {
            umask($umask);
        }
        try {
            $written = self::attempt(fn () => fwrite($stream, $json), 'Is the file system full?');
            if (!fclose($stream) || $written < strlen($json)) {
                throw new RuntimeException("$new cannot be written: is the file system full?");
            }
            if (file_exists($file) && filegroup($file) !== filegroup($new)) {
                self::attempt(fn () => chgrp($new, filegroup($file)), self::SEVERAL_USERS);
            }
            self::attempt(fn () => chmod($new, file_exists($file) ? fileperms($file) & 0777 : 0664));
            $start = hrtime(true);
            self::attempt(fn () => touch($new));
            self::attempt(fn () => rename($new, $file), self::SEVERAL_USERS);
        } catch (Throwable $e) {
            @unlink($new);
            throw $e;
        }
        // If the file is older than the last answer to a page, the page would miss the change.
        clearstatcache();
        if (hrtime(true) - $start > 10e6 || filemtime($file) < time()) {
            self::attempt(fn () => touch($file), self::SEVERAL_USERS);
        }
    }

    private function publishByURL(string $event, ?string $json): void
    {
        [$status, $header, $body] = $this->post('?publish=' . rawurlencode($event), (string) $json);
        $answer = json_decode($body, true);
        if ($status === 200 && $answer === true) {
            return;
        }
        if ($answer === false) {
            $reason = $status === 503 ? 'the server cannot reach the directory of the events, memcached or Redis'
                : 'the log of comet-fcgi or of the web server has the reason, most often the rights of the file';
        } elseif (is_array($answer) && is_string($answer['error'] ?? null)) {
            $reason = $answer['error'];
        } else {
            $reason = 'this is no answer of NovComet. Is the URL of comet.php right, and does it need a password?';
        }
        foreach (['Retry-After' => 'try again after %s s', 'Location' => 'use the URL %s'] as $name => $advice) {
            if (preg_match("~^$name: *([^?\r\n]+)~mi", $header, $value)) {
                $reason .= '; ' . sprintf($advice, $value[1]);
            }
        }
        throw new RuntimeException(self::quote($event) . " is not published: HTTP $status: $reason", $status);
    }

    /**
     * Sends a POST, and returns the status, the header and the body of the answer. It uses a socket, because
     * many installations have neither curl nor allow_url_fopen. With HTTP/1.0, the answer ends with the
     * connection.
     */
    private function post(string $query, string $body): array
    {
        $url = parse_url($this->target);
        $isTLS = strtolower($url['scheme']) === 'https';
        $host = $url['host'] . (isset($url['port']) ? ":{$url['port']}" : '');
        $address = ($isTLS ? 'tls://' : 'tcp://') . $url['host'] . ':' . ($url['port'] ?? ($isTLS ? 443 : 80));
        $head = 'POST ' . ($url['path'] ?? '/') . "$query HTTP/1.0\r\nHost: $host\r\nConnection: close\r\n"
            . "Content-Type: application/json\r\nContent-Length: " . strlen($body) . "\r\n";
        if (isset($url['user'])) {
            $login = rawurldecode($url['user']) . ':' . rawurldecode($url['pass'] ?? '');
            $head .= 'Authorization: Basic ' . base64_encode($login) . "\r\n";
        }
        $end = hrtime(true) + (int) ($this->timeout * 1e9);
        $socket = self::attempt(fn () => stream_socket_client($address, $code, $reason, $this->timeout),
            'Does the web server run, and is the URL of comet.php right?');
        $answer = '';
        $part = null;
        do {
            $left = intdiv($end - hrtime(true), 1000);
            if ($left <= 0) {
                throw new RuntimeException("$host has not answered within $this->timeout s. The event may have been "
                    . 'published. Look into the log of the web server, or try again');
            }
            stream_set_timeout($socket, intdiv($left, 1000000), $left % 1000000);
            if ($part === null) {
                @fwrite($socket, "$head\r\n$body"); // If it fails, the answer says why.
            }
            $part = (string) @fread($socket, 8192);
            $answer .= $part;
        } while ($part !== '' && strlen($answer) < 65536 || stream_get_meta_data($socket)['timed_out']);
        fclose($socket);
        if (!preg_match('~^HTTP/1\.\d (\d{3})(.*?)\r\n\r\n(.*)$~Ds', $answer, $found)) {
            throw new RuntimeException("$host has closed the connection without an answer in HTTP. The event may have "
                . 'been published. Is the URL right (https or http, the port)?');
        }
        return [(int) $found[1], $found[2], $found[3]];
    }

    private static function readSecret(string $file): string
    {
        $lines = self::attempt(fn () => file($file), 'Tokens need the file that subscribe.secret_file in comet.yaml '
            . 'names, and the right to read it (chgrp, chmod 640)');
        $secret = (string) current(preg_grep('~^[^#]~', array_map('trim', $lines)));
        if (strlen($secret) < 32) {
            throw new RuntimeException("the first secret in $file is missing or has fewer than 32 characters: make "
                . 'one with openssl rand -hex 32');
        }
        return $secret;
    }

    /** Calls a function of PHP that returns false when it fails, and makes its first warning an exception. */
    private static function attempt(callable $function, string $advice = '')
    {
        $warning = '';
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            $warning = $warning ?: $message;
            return true;
        });
        try {
            $result = $function();
        } finally {
            restore_error_handler();
        }
        if ($result === false) {
            throw new RuntimeException($warning . ($advice === '' ? '' : ". $advice"));
        }
        return $result;
    }

    private static function quote(string $text): string
    {
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE;
        return json_encode(substr($text, 0, 60), $flags);
    }
}
