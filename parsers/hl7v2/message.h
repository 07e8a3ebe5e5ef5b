// A placeholder while the room is being built: see the room's README.
#pragma once
namespace cannula::hl7v2 { class Message; }
