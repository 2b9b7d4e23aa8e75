-- Give rows back, or stop waiting for them, and hand each to its first waiter. The same call twice has the effect of one.
--
-- KEYS     three a row, as in acquire.lua
-- ARGV     1 owner; "*" for whoever holds the row (force-release)   2 lease (ms) and 3 wait (ms) it asked for
--          4 grant (ms): for how long a handed row is its waiter's before that says a word
--          5 1 = a message that nobody received proves that the waiter's process is gone (not so in a Cluster, where
--            a node counts its own subscribers alone)
-- RETURNS  for each row the fence it had while it was the owner's, or 0 if it was not (any more); with "*" a new fence
--          that is above all fences given before; then the messages for waiters of the caller's own process
--
-- A hand-over writes the waiter's name into the lock's key and publishes "owner:fence:key" on `lk:wake:<process>`.
-- The caller's own process needs no message: the answer has it, which saves a thread's turn.
-- One waiter wakes, nobody can overtake it, and no other is disturbed.
-- Failure policy: the lease ends what could not be given back.

local owner, lease, wait, grant, counts = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local waiter = owner .. ':' .. wait .. ':' .. lease
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fence_life = 86400000 -- ms
local own_process = string.match(owner, '^(.*)%.')
local handed = {}

local function next_fence(row)
  local fence = math.max((tonumber(redis.call('GET', KEYS[row + 1])) or 0) + 1, now)
  redis.call('SET', KEYS[row + 1], string.format('%.0f', fence), 'PX', fence_life)
  return fence
end

local function hand_over(row)
  local first = redis.call('ZPOPMIN', KEYS[row + 2])
  while first[1] do
    local name, patience, wanted = string.match(first[1], '^(.*):(%d+):(%d+)$')
    if first[2] + patience * 1000 > now then
      local holder = name .. ':' .. string.format('%.0f', next_fence(row))
      redis.call('SET', KEYS[row], holder, 'PX', math.min(tonumber(wanted), tonumber(grant)))
      local process, message = string.match(name, '^(.*)%.'), holder .. ':' .. KEYS[row]
      if process == own_process then
        handed[#handed + 1] = message
        return
      end
      local heard = redis.call('PUBLISH', 'lk:wake:' .. process, message)
      if heard > 0 or not counts then return end
    end
    first = redis.call('ZPOPMIN', KEYS[row + 2])
  end
  redis.call('DEL', KEYS[row])
end

local reply = {}
for row = 1, #KEYS, 3 do
  local held = redis.call('GET', KEYS[row])
  local mine = held and string.sub(held, 1, #owner + 1) == owner .. ':'
  if owner == '*' then
    reply[#reply + 1] = next_fence(row)
    hand_over(row)
  elseif mine then
    reply[#reply + 1] = tonumber(string.match(held, ':(%d+)$'))
    hand_over(row)
  else
    reply[#reply + 1] = 0
    redis.call('ZREM', KEYS[row + 2], waiter)
  end
end
for _, message in ipairs(handed) do reply[#reply + 1] = message end
return reply
