function main(msg)
  send("archive", msg)
end
