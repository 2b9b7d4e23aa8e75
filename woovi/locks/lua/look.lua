-- Who holds a row and who waits for it. Changes nothing.
--
-- KEYS     the four of one row, as in acquire.lua
-- ARGV     1 how many waiters to name
-- RETURNS  "owner:fence" or "", the ms of lease that are left, the microseconds since the fence was given; then for each
--          waiter "owner:milliseconds" and the microseconds that it will still wait
--
-- A fence is the clock when it was given, unless that had gone back: then its age is 0.
-- Failure policy: the caller's. It is for people's eyes.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('GET', KEYS[1]) or ''
local fence = tonumber(string.match(held, ':(%d+)$')) or now
local reply = { held, redis.call('PTTL', KEYS[1]), math.max(now - fence, 0) }
local waiting = redis.call('ZRANGE', KEYS[4], now, '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
for n = 1, #waiting, 2 do
  reply[#reply + 1] = waiting[n]
  reply[#reply + 1] = waiting[n + 1] - now
end
return reply
