-- Keep rows that are still the owner's for another lease. Takes nothing anew.
--
-- KEYS     three a row, as in acquire.lua
-- ARGV     1 owner   2 lease (ms)   3... a floor for each row: its fence is raised above it, 0 for none
-- RETURNS  for each row its fence, or 0 if the row is not the owner's any more
--
-- The floor heals a fence that fell behind its database row: a new primary's clock may be behind the old one's.

local owner, lease = ARGV[1], ARGV[2]
local reply = {}
for row = 1, #KEYS, 3 do
  local n = (row + 2) / 3
  local held = redis.call('GET', KEYS[row])
  if held and string.sub(held, 1, #owner + 1) == owner .. ':' then
    local fence = tonumber(string.match(held, ':(%d+)$'))
    local floor = tonumber(ARGV[n + 2])
    if floor >= fence then
      fence = floor + 1
      local text = string.format('%.0f', fence)
      redis.call('SET', KEYS[row], owner .. ':' .. text)
      redis.call('SET', KEYS[row + 1], text, 'PX', 86400000)
    end
    redis.call('PEXPIRE', KEYS[row], lease)
    reply[n] = fence
  else
    reply[n] = 0
  end
end
return reply
