-- Give back what a reservation turned out not to cost, once.
--
-- KEYS     the buckets, then the reservation (see take.lua), all of one slot where there are slots
-- ARGV     what to give back to each bucket (microseconds)
-- RETURNS  1, or 0 where it was settled before, or too long ago
--
-- Idempotent: the reservation is deleted with the first call. Failure policy: the worst case stays charged.

if redis.call('DEL', KEYS[#KEYS]) == 0 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for bucket = 1, #ARGV do
  local debt = (tonumber(redis.call('GET', KEYS[bucket])) or 0) - now - ARGV[bucket]
  if debt > 0 then
    redis.call('SET', KEYS[bucket], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
  else
    redis.call('DEL', KEYS[bucket])
  end
end
return 1
