-- Ask for a row's value. Answers it, or says whether the caller may bring one.
--
-- KEYS     1 v:{name:pk}    hash: v value   n version of the last value   o who may bring one   u until when (server's ms)
--          2 v:{name:pk}:w  sorted set of write intents, scored by their deadlines (server's ms)
-- ARGV     1 owner   2 lease (ms)
-- RETURNS  the value; or 1: read the database and offer what you find; or 0: read the database (a write is under way, or
--          another reader is about to bring it)
--
-- A value is never there beside a live intent: intend.lua deletes it, and none is taken until the last intent is gone. So
-- the server must never evict: role `locks`. Failure policy: the caller reads the database.

local value = redis.call('HGET', KEYS[1], 'v')
if value then return value end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
local lease = redis.call('HMGET', KEYS[1], 'o', 'u')
if lease[1] and lease[1] ~= ARGV[1] and now < tonumber(lease[2]) then return 0 end
redis.call('HSET', KEYS[1], 'o', ARGV[1], 'u', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[2] + 0))
return 1
