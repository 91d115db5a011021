-- Sentences to be translated, no two of which are alike, for wrk:
--   wrk -t1 -c64 -d30s --timeout 60s --latency -s benches/translate.lua http://127.0.0.1:5000/translate

local number = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function request()
  number = number + 1
  local text = "De nieuwe brug bij dorp %d is volgens de gemeente %d meter lang en kostte ruim drie miljoen euro."
  local body = '{"q":"%s","source":"nl","target":"en"}'
  return wrk.format(nil, nil, nil, body:format(text:format(number, number % 90 + 10)))
end
