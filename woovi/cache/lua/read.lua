-- Ask for an entry. Answers it, or says what the caller shall do: one round trip decides for a whole fleet who loads.
--
-- KEYS     1 c:{name:tenant}:entry  hash, lives as long as its value may be of use
--            v value   g stamp that it was filled under   s fresh until   w may be served stale until   d its load (ms)
--            f fingerprint of the value (for a compare-and-drop)
--            o who loads now   u until when   a since when   b stamp at its begin   q 1 = others wait for it
--            m no load before   x why the last load failed
--          2 c:{name:tenant}:g      hash, a number a tag, and "*" for all: another one invalidates everything that has it
-- ARGV     1 owner (no other call has it)   2 lease (ms)   3 schema of the values   4 early: refresh when less than
--          this many thousandths of the load time are left (XFetch's -beta*ln(random); the script's own random is not)
--          5... tags of the entry
-- RETURNS  a hit       the value alone
--          otherwise   {what, value or "", number, text}: what is
--            "stale"   serve it, somebody else refreshes    "refresh"  serve it, and refresh it: the lease is yours
--            "load"    load it: the lease is yours; the value is there for the case that this fails
--            "wait"    text loads it, for `number` ms at most
--            "failed"  the last load failed with `text`; nobody tries again for `number` ms
--            "paced"   loaded too recently, wait `number` ms
--
-- Times are the server's, in ms. A tag whose number is gone (invalidated, evicted, flushed) makes a miss; the next lease
-- takes a new one from the clock (microseconds), so none comes twice. A hit writes nothing and works on a full server.
-- Failure policy: the caller's (woovi.cache.readthrough: load without Redis, once a process).

local e = redis.call('HMGET', KEYS[1], 'v', 'g', 's', 'd')
local numbers
if #ARGV == 4 then numbers = {redis.call('HGET', KEYS[2], '*')} else numbers = redis.call('HMGET', KEYS[2], '*', unpack(ARGV, 5)) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local value, whole, fresh = e[1], true, false
for i = 1, #ARGV - 3 do whole = whole and numbers[i] end
if value and whole and e[2] == ARGV[3] .. ':' .. table.concat(numbers, ':') then
  fresh = now < tonumber(e[3])
  if fresh and now + e[4] * ARGV[4] / 1000 < tonumber(e[3]) then return value end
else
  value = false -- of another schema, or invalidated: not even good enough for when a load fails
end

e = redis.call('HMGET', KEYS[1], 'w', 'o', 'u', 'm', 'x')
local servable = value and (fresh or now < tonumber(e[1]))
local owner, ends = e[2], tonumber(e[3])
if owner and owner ~= ARGV[1] and now < ends then
  if fresh then return value end
  if servable then return {'stale', value, 0, ''} end
  redis.call('HSET', KEYS[1], 'q', 1)
  return {'wait', value or '', ends - now, owner}
end

local before = tonumber(e[4])
if before and now < before then
  if fresh then return value end
  if servable then return {'stale', value, 0, ''} end
  return {e[5] and 'failed' or 'paced', value or '', before - now, e[5] or ''}
end

for i = 1, #ARGV - 3 do
  if not numbers[i] then
    numbers[i] = string.format('%.0f', time[1] * 1000000 + time[2])
    redis.call('HSET', KEYS[2], i == 1 and '*' or ARGV[i + 3], numbers[i])
  end
end
local stamp = ARGV[3] .. ':' .. table.concat(numbers, ':')
redis.call('HSET', KEYS[1], 'o', ARGV[1], 'u', now + ARGV[2], 'a', now, 'b', stamp)
redis.call('HDEL', KEYS[1], 'm', 'x')
local life = math.max(redis.call('PTTL', KEYS[1]), ARGV[2] + 0)
redis.call('PEXPIRE', KEYS[1], life)
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[2]), life))
return {servable and 'refresh' or 'load', value or '', 0, ''}
