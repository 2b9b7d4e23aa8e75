-- Take rows for one owner, or keep those that it has. The same call twice has the effect of one.
--
-- KEYS     four a row, all of one slot:
--   lk:{row}    string "owner:fence", lives for the lease: who holds the row. No owner: it was handed over just now
--   lk:{row}:f  string, lives for a day: the last fence that was given
--   lk:{row}:h  list, the hand: the fence of a row that was handed over, for whom the server serves first (BLPOP)
--   lk:{row}:w  sorted set: who waits, as "owner:milliseconds", by the server's microsecond until which it does
-- ARGV     1 owner   2 lease (ms)   3 for how long it waits (ms)
--          4 mode: all   every row, or none
--                  wait  the one row; where it is busy, we are among those who wait for it
--                  keep  nothing anew: those that are still ours, for another lease
--          5 a floor: each fence is raised above it   6... for each row the fence that we know to be ours, or 0
-- RETURNS  a fence for each row, that of its holder below 0 (or 0) where it is not ours; then the ms after which the first
--          such row's lease ends, or 0 where all are ours. Where that is not 0, mode "all" took nothing
--
-- A fence is max(last + 1, the server's clock in microseconds), so it grows over a flush and a failover too. The floor
-- heals one that fell behind its row in the database: a new primary's clock may be behind the old one's.
-- Failure policy: the caller's (woovi.locks.lock: the same call once more, then LocksUnavailable).

local owner, lease, wait, mode, floor = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local reply, busy = {}, 0

for row = 1, #KEYS, 4 do
  local n = (row + 3) / 4
  local name, fence = string.match(redis.call('GET', KEYS[row]) or '', '^(.*):(%d+)$')
  if name and (name == owner or fence == ARGV[5 + n]) then
    reply[n] = tonumber(fence)
  elseif mode ~= 'keep' and (not name or (name == '' and redis.call('EXISTS', KEYS[row + 2]) == 1)) then
    -- Free; or handed over, and nobody was there to take it.
    reply[n] = math.max((tonumber(redis.call('GET', KEYS[row + 1])) or 0) + 1, now)
  else
    reply[n] = -tonumber(fence or 0)
    if busy == 0 then busy = row end
  end
end

for row = 1, #KEYS, 4 do
  local n = (row + 3) / 4
  if reply[n] > 0 and (busy == 0 or mode ~= 'all') then
    reply[n] = math.max(reply[n], floor + 1)
    local fence = string.format('%.0f', reply[n])
    redis.call('SET', KEYS[row], owner .. ':' .. fence, 'PX', lease)
    redis.call('SET', KEYS[row + 1], fence, 'PX', 86400000)
    redis.call('DEL', KEYS[row + 2])
    if mode == 'keep' then redis.call('ZREM', KEYS[row + 3], owner .. ':' .. wait) end
  end
end

local left = 0
if busy > 0 then
  left = math.max(redis.call('PTTL', KEYS[busy]), 1)
  if mode == 'wait' then
    redis.call('ZADD', KEYS[busy + 3], 'NX', now + wait * 1000, owner .. ':' .. wait)
    redis.call('PEXPIRE', KEYS[busy + 3], 3600000)
  end
end
reply[#reply + 1] = left
return reply
