function main(msg)
  if msg.type == "ORU^R01" them
    send("ehr", msg)
  end
end
