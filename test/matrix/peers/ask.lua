-- LuaSec with the server's name. Arguments: host, port.
local socket, ssl = require('socket'), require('ssl')
for _ = 1, 2 do
  local tcp = assert(socket.tcp())
  tcp:settimeout(10)
  assert(tcp:connect(arg[1], tonumber(arg[2])))
  local tls = assert(ssl.wrap(tcp, { mode = 'client', protocol = 'any', verify = 'peer', cafile = '/etc/ssl/certs/ca-certificates.crt' }))
  tls:sni(arg[1])
  assert(tls:dohandshake())
  tls:send('GET /index.html HTTP/1.0\r\nHost: ' .. arg[1] .. '\r\n\r\n')
  local page, _, part = tls:receive('*a')
  print(page or part)
  tls:close()
end
