-- Publishes an event: sets its stamp and its data, and notifies all programs that wait for it, in one step.
-- Any program that can connect to the server may run this script. In a shell (in a Cluster: redis-cli -c):
--
--   redis-cli --eval publish.lua novcomet:news
--   redis-cli --eval publish.lua novcomet:news , 86400000 '{"build":"green"}'
--
-- The key is store_prefix of comet.yaml and the event's id. The comma has a space on each side. Two optional
-- arguments follow: after how many milliseconds the event is removed (0, the default: never), and the event's
-- data ('' removes the data; without this argument the data stays). The answer is the new stamp, in
-- microseconds since 1970.
--
-- The key holds a hash: s is the stamp, d is the data. The channel has the name of the key; a message is the
-- stamp. The script needs Redis 5 or later, or Valkey.

local key, expire, data = KEYS[1], tonumber(ARGV[1] or '') or 0, ARGV[2]

local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then
	return redis.error_reply('WRONGTYPE the key of this event holds a ' .. kind .. ', not a hash')
end

-- The clock is the server's. A publisher that was delayed cannot set a stamp of the past.
local time = redis.call('TIME')
local stamp = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- The new stamp is later than the old one, also within one microsecond, and after a failover to a server
-- whose clock is a little behind. An old stamp that is more than 2 s ahead is ignored. Every poll is still
-- answered.
local far = 2000000
local old = math.floor(tonumber(redis.call('HGET', key, 's') or '') or 0)
if old >= stamp and old <= stamp + far then
	stamp = old + 1
end

-- PUBLISH comes first because the user may lack the right to it: then the script ends here, and nothing is
-- stored. Redis sends the message after the script has ended.
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
