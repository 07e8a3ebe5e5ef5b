-- Documents inside results: OBX-5 of type ED (encapsulated data) as a FHIR Attachment.
local attachments = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local SUBTYPES = { PDF = "application/pdf", TIFF = "image/tiff", JPEG = "image/jpeg", PNG = "image/png", HTML = "text/html",
                   RTF = "application/rtf", XML = "application/xml", PLAIN = "text/plain" }

local function base64(bytes)
  local encoded = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for place = 0, 3 do
      local sextet = bits >> (18 - 6 * place) & 63
      encoded[#encoded + 1] = (place == 2 and not b or place == 3 and not c) and "=" or ALPHABET:sub(sextet + 1, sextet + 1)
    end
  end
  return table.concat(encoded)
end

local function content_type(obx)
  local kind, subtype = obx["5.2"], obx["5.3"]
  if kind and kind:find("/", 1, true) then return kind end
  return SUBTYPES[(subtype or ""):upper()] or "application/octet-stream"
end

-- The attachment of an OBX; nil, and why, when its data cannot be taken. ED: source ^ type ^ subtype ^ encoding ^ data.
function attachments.of(obx)
  local encoding, data = obx["5.4"], obx["5.5"]
  if not data then return nil, "a document without content" end
  if encoding == "Base64" then
    data = data:gsub("\\%.br\\", ""):gsub("%s", "")
    if #data % 4 ~= 0 or data:find("[^%w+/=]") then return nil, "a document whose base64 is damaged" end
  elseif encoding == "Hex" then
    if #data % 2 ~= 0 or data:find("%X") then return nil, "a document whose hexadecimal text is damaged" end
    data = base64(data:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
  elseif encoding == "A" or not encoding then
    data = base64(data)
  else
    return nil, "a document in the encoding '" .. encoding .. "', which nobody reads here"
  end
  return { contentType = content_type(obx), data = data, title = obx["3.2"] or obx["3.1"] }
end

return attachments
