-- Publishes an event, in one step: sets its stamp and tells whoever waits for it. Any program may do so that reaches the
-- server, and so does a shell (in a Cluster: redis-cli -c):
--
--   redis-cli --eval publish.lua novcomet:news
--   redis-cli --eval publish.lua novcomet:news , 86400000 '{"build":"green"}'
--
-- The key is store_prefix of comet.yaml and the event's id; spaces go around the comma. Then, both may be left out: after how
-- many milliseconds the event is forgotten (0: never), and data ('': none; left out: as it was). The answer is the new stamp,
-- in microseconds since 1970.
--
-- The key holds a hash: s, the stamp; d, the data, where there is any. The channel has the key's name, and a message is the
-- stamp. It takes Redis 5 or later, or Valkey.

local key, expire, data = KEYS[1], tonumber(ARGV[1] or '') or 0, ARGV[2]

local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then
	return redis.error_reply('WRONGTYPE the key of this event holds a ' .. kind .. ', not a hash')
end

-- The server's own clock, so that a publisher that was delayed can't set a stamp of the past.
local time = redis.call('TIME')
local stamp = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- Strictly later than before, also within one microsecond and where a server took over whose clock is a little behind. A stamp
-- that is further ahead is left behind: polls are answered all the same, and it would take long to catch up.
local far = 2000000
local before = math.floor(tonumber(redis.call('HGET', key, 's') or '') or 0)
if before >= stamp and before <= stamp + far then
	stamp = before + 1
end

-- The message is not sent before the script ends. It comes first here, because a user may lack the right to send it: then
-- nothing is stored, and the error says so.
local text = string.format('%.0f', stamp)
redis.call('PUBLISH', key, text)
redis.call('HSET', key, 's', text)
if data == '' then
	redis.call('HDEL', key, 'd')
elseif data then
	redis.call('HSET', key, 'd', data)
end
if expire > 0 then
	redis.call('PEXPIRE', key, string.format('%.0f', expire))
else
	redis.call('PERSIST', key)
end
return stamp
