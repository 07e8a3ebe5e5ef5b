#include "engine/script/error_codes.h"

#include <array>

namespace cannula::script {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"L101", "A script cannot be compiled",
              "Lua's compiler stopped at the place shown. The message names the token it did not "
              "expect; the cause often stands before it: a missing 'end', a missing comma, an "
              "unclosed quote."},
    ErrorCode{"L102", "The script does not define main",
              "Each channel script defines a global function main(msg), which is called for every "
              "message. A local function, or one of another name, is not found."},
    ErrorCode{
        "L103", "The top level of a script failed",
        "What stands outside of functions runs once, when the script is loaded, under the same "
        "limits as a message. It raised an error or reached a limit. There is no message yet at "
        "that time, so send, state and log lines have nothing to work on."},
    ErrorCode{
        "L106", "The script's state cannot be made",
        "The memory limit of the channel, or that of all scripts together, leaves no room for "
        "a Lua state. An empty state needs about 100 KB."},
    ErrorCode{
        "L107", "A name that nothing defines",
        "The script, or a module it requires, reads a global that is not there once the "
        "script is loaded. As globals cannot be made later, the line would fail (L203) when a "
        "message comes to it: a misspelt variable, a local used outside of its block, or a "
        "library that scripts do not have. A site with such a script does not start, and a "
        "reload keeps the script that is in use. Names of another Lua, such as unpack, are "
        "warned of only, since portable code reads them where they are. rawget(_G, "
        "\"name\") asks without an error."},
    ErrorCode{"L200", "The script raised an error",
              "An error of the script itself or of Lua, such as a nil that was indexed. The reason "
              "names file and line and the calls that led there. Nothing was sent. The message is "
              "dead and can be resent once the script is corrected."},
    ErrorCode{
        "L201", "The script ran too long",
        "A message may take as much Lua time as the channel's limit says (2 s unless it is "
        "set). Look for a loop that does not end, or for work that grows with the message, at "
        "the place the reason shows. Waiting for other channels is not counted."},
    ErrorCode{
        "L202", "The script needs too much memory",
        "The strings, tables and messages a script holds may have as many bytes as the "
        "channel's limit says (64 MB unless it is set), and a table at most 16,384 keys that "
        "are not 1, 2, 3 …. Look for a table that grows with every message, or a string built "
        "piece by piece in a loop: collect the pieces and use table.concat."},
    ErrorCode{"L203", "An unknown name",
              "The script reads a global that nothing defined: a misspelt variable, a local used "
              "outside of its block, or a library that is not available (io, os, debug, package). "
              "rawget(_G, \"name\") asks without an error."},
    ErrorCode{"L204", "Something read-only was written",
              "Once a script is loaded its globals and the libraries do not change, so that one "
              "message cannot alter the next. Use 'local' inside functions, and state[…] for what "
              "is to last."},
    ErrorCode{"L205", "A metatable the sandbox refuses",
              "Finalizers (__gc) run outside of every limit and weak tables (__mode) can hold up "
              "the collector, so neither is available."},
    ErrorCode{"L206", "A function of Lua that is limited here",
              "load takes a text of at most 64 KB, neither compiled chunks nor reader functions; "
              "collectgarbage only counts. Put larger code into lib/ and use require."},
    ErrorCode{
        "L207", "An object of an earlier message",
        "Messages, segments and nodes belong to the run they were made in. The script kept one "
        "in a variable that outlives the run. Keep its text instead, or state[…]."},
    ErrorCode{"L208", "Too many coroutines close each other",
              "More than 100 coroutines were closed one inside the other, each by the __close of "
              "another. Close them in a loop instead."},
    ErrorCode{"L209", "A pattern needs too many steps",
              "A Lua pattern tried the same bytes in more ways than is reasonable: two or more of "
              "'.-', '.*' or 'x?' in a row do that on a text that does not match. Say more exactly "
              "what may stand between, as in '[^,]*,', or use find with plain = true."},
    ErrorCode{"L210", "A value of the wrong kind",
              "A function got something else than it takes; the message says what. Methods are "
              "called with a colon, msg:each(…), and a node's text is read with node:text()."},
    ErrorCode{"L211", "Not an HL7 v2 message",
              "The script read a field of something that has no MSH segment at its start. The text "
              "behind says what stands there instead."},
    ErrorCode{"L212", "An unknown destination",
              "send names a destination that channel.toml of this channel does not define."},
    ErrorCode{
        "L213", "A payload that cannot be sent",
        "send takes a message, a document, a transaction or a string. Of a node or a segment, send "
        "its :text()."},
    ErrorCode{
        "L214", "An unknown option of send",
        "The options are key, which orders messages at the destination, priority, which is "
        "\"stat\" or absent, and of HTTP destinations method, path, headers and content_type."},
    ErrorCode{"L215", "A secret that cannot be read",
              "secret names something that site.toml does not define, or whose variable or file "
              "cannot be read."},
    ErrorCode{
        "L216", "A message was ended without a reason",
        "skip, park and reject take the reason as a text; people look for the message by it. "
        "reject is for main only: when a destination answers, the message was long accepted."},
    ErrorCode{"L217", "An unknown module",
              "require takes the name of a file in lib/ of the site, without .lua. Other modules, "
              "and compiled ones, are not available."},
    ErrorCode{
        "L218", "Modules that require each other",
        "A module was required while it was still being loaded, by itself or through another, "
        "or it failed when it was loaded before."},
    ErrorCode{
        "L219", "The script ran too long where it cannot be suspended",
        "Where a function of the engine calls back into the script, as string.format('%s') does "
        "with a __tostring, other messages wait. That may take 100 ms unless the limit is set "
        "otherwise."},
    ErrorCode{"L220", "A place in a message that cannot be read",
              "A path is written PID-3.1, in a segment 3.1, and numbers count from 1. The text "
              "behind says where reading stopped."},
    ErrorCode{"L221", "An unknown member",
              "A message, a segment, a node or a group has no member or group of that name."},
    ErrorCode{"L222", "An edit that cannot be made",
              "MSH-1 and MSH-2 cannot be written, nor a segment that was removed or belongs to "
              "another message. In a group, add the segment first."},
    ErrorCode{"L223", "A value that state cannot keep",
              "state keeps strings in UTF-8, finite numbers, booleans and tables of them, up to "
              "16 levels and 256 KB, under keys of 1 to 256 bytes, at most 1,000 in one message."},
    ErrorCode{
        "L224", "Not a time",
        "A time is a number of seconds since 1970, or a text as HL7 v2 or ISO 8601 write it."},
    ErrorCode{"L225", "No message is under way",
              "send, state, skip and the like were called at the top level of a script, which runs "
              "when it is loaded. Call them inside main or on_response."},
    ErrorCode{
        "L226", "The script cannot take a message",
        "Its state was closed after a limit and is being replaced, or it has no on_response. "
        "The engine loads the script again by itself; a message that met this is worked again "
        "when it is resent."},
    ErrorCode{"L227", "Fields of a log line that are not a table",
              "Write log.info(\"routed\", { ward = code }): the second argument is a table."},
    ErrorCode{"L228", "Not JSON",
              "The script read a document of a text that is not JSON. The text behind names line, "
              "column and what was expected there."},
    ErrorCode{"L229", "A value that cannot stand in a document",
              "Documents hold strings in UTF-8, finite numbers, booleans, json.null, tables whose "
              "keys are all names or all 1 … n, and documents. Of a node or segment of an HL7 v2 "
              "message, write its text."},
    ErrorCode{
        "L230", "An unknown table",
        "lookup takes the name of a mapping table of the site: the file tables/NAME.csv. A table "
        "that was added is there after the site has noticed it, within seconds."},
    ErrorCode{"L231", "A key that the table is not found by",
              "A table is found by its first column, or by the columns that tables/NAME.table.toml "
              "names as keys: give a text for one column, a list of texts for several."},
    ErrorCode{"L232", "An unknown column of a table",
              "The header row of tables/NAME.csv names the columns; a row cannot be written."},
    ErrorCode{
        "L233", "Rules that cannot be evaluated",
        "rules.evaluate takes the name of a rule set, the file rules/NAME.rules, and an HL7 v2 "
        "message."},
    ErrorCode{
        "L234", "A reply that cannot be given",
        "reply takes a table of status (200 to 599), headers ({ name = text }) and body, once the "
        "message is under way, and not in on_response."},
    ErrorCode{"L235", "A document of too many values",
              "Each value of a JSON document takes 32 bytes of memory besides its text. The "
              "document would take more than the script may use, and is not read to its end. Have "
              "it sent in parts, or raise memory under [script] in channel.toml. A large text "
              "inside a document, such as an embedded file, is no such value."},
    ErrorCode{"L240", "A FHIR resource that cannot be built",
              "The text behind says which element, and why; its own code has a page as well."},
    ErrorCode{
        "L241", "A time without an offset",
        "FHIR wants times with their offset from UTC. The HL7 v2 text has none, nor has MSH-7, "
        "whose offset would be that of all times of the message (HL7 v2 2.14.9.7), and the "
        "channel's source names no timezone: set timezone = \"Europe/Vienna\" or the like "
        "under [source] in channel.toml."},
    ErrorCode{"L250", "A value of a data type that cannot be written",
              "Functions such as node:cx() take a table of the parts of the type, by the names "
              "that the Lua reference lists, each a text, a number, or a table where the part has "
              "parts itself. A time has whole numbers from the year on, without a gap."},
    ErrorCode{"L251", "A new message that cannot be made",
              "hl7.new takes a message type such as ADT^A08 or ORU^R01, and options by name: "
              "version, control_id, time, sending_application and the others that the reference "
              "lists."},
    ErrorCode{"L252", "A batch that cannot be made",
              "hl7.batch takes a list of messages, or of texts that are messages, and puts BHS and "
              "BTS around them. The list has at least one, because the batch is addressed as its "
              "first message is; none of them is in UTF-16."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::script
