-- Give rows back, or stop waiting for them, and hand each to whom the server serves first. Twice has the effect of once.
--
-- KEYS     four a row, as in acquire.lua
-- ARGV     1 owner; "*" takes the row from whoever holds it   2 for how long it waited (ms)
--          3 grant (ms): for how long a handed row is its taker's before that says a word
--          4... for each row the fence that we know to be ours, or 0
-- RETURNS  for each row the fence it had while it was ours, 0 where it was not (any more); with "*" a new fence, above all
--          that were given before
--
-- A hand-over writes the next fence into the lock's key and pushes it into the hand, where waiters block: the server
-- serves who has blocked longest, and knows nothing of one whose socket closed. A fence that nobody takes ends with the
-- grant; who comes by before that takes the row (acquire.lua).
-- Failure policy: the lease ends what could not be given back.

local owner, wait, grant = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function next_fence(row)
  local fence = math.max((tonumber(redis.call('GET', KEYS[row + 1])) or 0) + 1, now)
  redis.call('SET', KEYS[row + 1], string.format('%.0f', fence), 'PX', 86400000)
  return fence
end

local function waited_for(row)
  if redis.call('EXISTS', KEYS[row + 3]) == 0 then return false end
  redis.call('ZREM', KEYS[row + 3], owner .. ':' .. wait)
  redis.call('ZREMRANGEBYSCORE', KEYS[row + 3], '-inf', now)
  return redis.call('EXISTS', KEYS[row + 3]) == 1
end

local reply = {}
for row = 1, #KEYS, 4 do
  local n = (row + 3) / 4
  local name, fence = string.match(redis.call('GET', KEYS[row]) or '', '^(.*):(%d+)$')
  local waited = waited_for(row)
  reply[n] = 0
  if owner == '*' then
    reply[n] = next_fence(row)
  elseif name and (name == owner or fence == ARGV[3 + n]) then
    reply[n] = tonumber(fence)
  end
  if reply[n] > 0 then
    redis.call('DEL', KEYS[row], KEYS[row + 2])
    if waited then
      local handed = string.format('%.0f', next_fence(row))
      redis.call('SET', KEYS[row], ':' .. handed, 'PX', grant)
      redis.call('RPUSH', KEYS[row + 2], handed)
      redis.call('PEXPIRE', KEYS[row + 2], grant)
    end
  end
end
return reply
