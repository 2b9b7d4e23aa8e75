-- Take rows for one owner. The same call twice has the effect of one: an owner that holds a row gets its fence again.
--
-- KEYS     three a row, all of one slot:
--   lk:{row}    string "owner:fence", lives for the lease: who holds the row
--   lk:{row}:f  string, lives for a day: the last fence that was given
--   lk:{row}:q  sorted set of waiters "owner:wait:lease", scored by arrival (microseconds): first come, first served
-- ARGV     1 owner "process.number"   2 lease (ms)
--          3 mode: all   every row, or none (nowait)
--                  some  those that are free (skip_locked)
--                  wait  rows in order up to the first busy one, whose queue we join; what was taken is kept, so
--                        that waiting in one total order can neither deadlock nor starve
--          4 how long a waiter stays queued (ms)   5 fair: 1 = never before a waiter, though the row be free
-- RETURNS  a fence for each row, 0 where it was not taken; then the ms after which the busy row's lease ends, or 0
--
-- A fence is max(last + 1, the server's clock in microseconds), so it grows over a flush and a failover too.
-- Failure policy: the caller's (woovi.locks.lock: the same call once more, then LocksUnavailable).

local owner, lease, mode, wait, fair = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local waiter = owner .. ':' .. wait .. ':' .. lease
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local queue_life = 3600000 -- ms
local fence_life = 86400000 -- ms

local function mine(held)
  return held and string.sub(held, 1, #owner + 1) == owner .. ':'
end

local function free(row, held)
  if held then return false end
  if not fair then return true end
  local first = redis.call('ZRANGE', KEYS[row + 2], 0, 0, 'WITHSCORES')
  while first[1] do
    local patience = tonumber(string.match(first[1], ':(%d+):%d+$')) * 1000
    if first[1] == waiter then return true end
    if first[2] + patience > now then return false end
    redis.call('ZREM', KEYS[row + 2], first[1])
    first = redis.call('ZRANGE', KEYS[row + 2], 0, 0, 'WITHSCORES')
  end
  return true
end

local reply, busy = {}, 0
for row = 1, #KEYS, 3 do
  local held = redis.call('GET', KEYS[row])
  if mine(held) or free(row, held) then
    reply[#reply + 1] = held or ''
  else
    reply[#reply + 1] = 0
    if busy == 0 then busy = row end
  end
end

local last = #KEYS
if busy > 0 and mode == 'all' then last = 0 end
if busy > 0 and mode == 'wait' then last = busy - 1 end

for row = 1, #KEYS, 3 do
  local n = (row + 2) / 3
  local held = reply[n]
  if row > last then
    reply[n] = 0
  elseif held == '' then
    local fence = math.max((tonumber(redis.call('GET', KEYS[row + 1])) or 0) + 1, now)
    local text = string.format('%.0f', fence)
    redis.call('SET', KEYS[row], owner .. ':' .. text, 'PX', lease)
    redis.call('SET', KEYS[row + 1], text, 'PX', fence_life)
    reply[n] = fence
  elseif held ~= 0 then
    redis.call('PEXPIRE', KEYS[row], lease)
    reply[n] = tonumber(string.match(held, ':(%d+)$'))
  end
  if mode == 'wait' and row <= last then redis.call('ZREM', KEYS[row + 2], waiter) end
end

local left = 0
if busy > 0 then
  left = math.max(redis.call('PTTL', KEYS[busy]), 1)
  if mode == 'wait' then
    redis.call('ZADD', KEYS[busy + 2], 'NX', now, waiter)
    redis.call('PEXPIRE', KEYS[busy + 2], queue_life)
  end
end
reply[#reply + 1] = left
return reply
