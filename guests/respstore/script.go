package main

// The layout is that of Dapr's Redis store: a hash per key with the fields
// data and version, a decimal number that grows with every write. Dapr counts
// from 1 again when a key is created again, which repeats etags; here a new key
// begins at the time of the server in microseconds. A plain string, as very old
// data is, has version 0. The field content-type holds the version it belongs
// to, because Dapr does not know it and leaves it as it is.

// scriptRead returns data, version, content type and expiry in Unix
// milliseconds (-1 = never) of KEYS[1], or nothing.
const scriptRead = `
local k = KEYS[1]
local kind = redis.call('TYPE', k).ok
local data, version, ctype
if kind == 'hash' then
  local f = redis.call('HMGET', k, 'data', 'version', 'content-type')
  data, version, ctype = f[1], f[2] or '0', f[3] or ''
  if not data then return redis.error_reply('WRONGTYPE the hash has no field data') end
elseif kind == 'string' then
  data, version, ctype = redis.call('GET', k), '0', ''
elseif kind == 'none' then
  return {}
else
  return redis.error_reply('WRONGTYPE the key holds a ' .. kind)
end
local ttl = redis.call('PTTL', k)
if ttl >= 0 then
  local t = redis.call('TIME')
  ttl = t[1] * 1000 + math.floor(t[2] / 1000) + ttl
end
local own = version .. ' '
if string.sub(ctype, 1, #own) == own then ctype = string.sub(ctype, #own + 1) else ctype = '' end
return {data, version, ctype, ttl}
`

// scriptWrite applies one operation per key, all or none, each with six
// arguments: set or delete, etag, 1 for create only, milliseconds to live,
// content type, value. It returns the index of the operation that is in
// conflict, -1 for none, and the version that the last operation wrote. All is
// checked before anything is written.
const scriptWrite = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local kinds, versions, last, new = {}, {}, {}, {}
for i, k in ipairs(KEYS) do
  if not kinds[k] then
    local kind = redis.call('TYPE', k).ok
    if kind == 'hash' then
      versions[k] = redis.call('HGET', k, 'version') or '0'
      local n = tonumber(versions[k])
      if not (n and n >= 0 and n < 9007199254740991) then return redis.error_reply('WRONGTYPE the version is not a number') end
    elseif kind == 'string' then
      versions[k] = '0'
    elseif kind ~= 'none' then
      return redis.error_reply('WRONGTYPE the key holds a ' .. kind)
    end
    kinds[k] = kind
  end
  local a = i * 6 - 6
  local version, etag = versions[k], ARGV[a + 2]
  if etag ~= '' and version ~= etag or etag == '' and ARGV[a + 3] == '1' and version then
    return {i - 1, ''}
  end
  if ARGV[a + 1] == 'set' then
    local n = version and tonumber(version) + 1 or math.max(now, (last[k] or 0) + 1)
    new[i] = string.format('%.0f', n)
    versions[k] = new[i]
  else
    last[k] = version and tonumber(version) or last[k]
    versions[k] = nil
  end
end
for i, k in ipairs(KEYS) do
  local a = i * 6 - 6
  if not new[i] then
    redis.call('DEL', k)
  else
    if kinds[k] == 'string' then redis.call('DEL', k) end
    redis.call('HSET', k, 'data', ARGV[a + 6], 'version', new[i])
    if ARGV[a + 5] == '' then
      redis.call('HDEL', k, 'content-type')
    else
      redis.call('HSET', k, 'content-type', new[i] .. ' ' .. ARGV[a + 5])
    end
    if ARGV[a + 4] == '0' then redis.call('PERSIST', k) else redis.call('PEXPIRE', k, ARGV[a + 4]) end
  end
  kinds[k] = 'hash'
end
return {-1, new[#KEYS] or ''}
`
