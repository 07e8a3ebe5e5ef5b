// An HL7 v2 message: the received bytes, a table of where its segments and fields stand, and what
// was edited since.
//
//   Message message = TRY(Message::parse(bytes));
//   auto name = message.get(TRY(Path::parse("PID-5.1")));
//   TRY(message.set(TRY(Path::parse("PID-3[1].4")), "GEN"));
//   std::string out = message.encode();   // the received bytes, except for the edited field
//
// Parsing copies nothing and looks at each byte once; repetitions, components and escapes are read
// on access. Any bytes in give a Message or an Error, in linear time; unknown segments and fields
// are kept byte for byte.
//
// Reading and writing text. Each place is a leaf or a composite. What the standard defines is
// decided by its data type (PID-5 is a composite, PID-5.2 and NTE-3 are leaves, OBX-5 is what OBX-2
// says); anything else by the text itself: it is a composite when it holds a delimiter of a lower
// level, for a field `^` or `&`, for a component `&`.
//   * A leaf reads as plain text, escapes decoded; a delimiter found in it unescaped is text.
//     Writing a leaf escapes every delimiter, so what is read back is what was written.
//   * A composite reads as encoded text, as it stands. Writing a composite takes the text as
//     encoded: `^` and `&` divide it, and `~` too where a whole field is written (kWholeField).
//     A field separator or a line end in it is escaped.
//   * Not populated, whether `||` or past the end of the segment, reads as nullopt (2.4.3.1);
//     HL7 null reads as `""`, two quote characters. Writing nullopt or "" empties a place, and
//     does nothing where there is nothing.
//   * Writing what was read changes no byte: set(place, get(place)) is the identity.
//   * Writing fills up missing separators, repetitions and components; an edit changes no byte of
//     another field.
//
// Threads: const members may be called from several threads at once; a Message that is being edited
// has one owner. Copies are cheap: they share the received bytes and tables.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/hl7v2/delimiters.h"
#include "parsers/hl7v2/path.h"
#include "parsers/text/diagnostic.h"
#include "parsers/text/result.h"
#include "parsers/text/span.h"

namespace cannula::hl7v2 {

// A segment of one message, for good: it stays the same when other segments are added or removed.
// In an unedited message the ids are 0, 1, 2 … in order. A removed segment's id reads as a segment
// without fields.
using SegmentId = std::uint32_t;

// A place in one message, small enough to keep by value. Field, repetition, component and
// subcomponent count from 1, as in Path; 0 = not named. With a field and repetition 0 the first
// repetition is meant; kWholeField means all of them.
struct Place {
  static constexpr std::uint32_t kWholeField = 0xFFFFFFFF;

  SegmentId segment = 0;
  std::uint32_t field = 0;
  std::uint32_t repetition = 0;
  std::uint32_t component = 0;
  std::uint32_t subcomponent = 0;

  friend bool operator==(const Place&, const Place&) = default;
};

// The segments of one occurrence of a group of the message structure, in order: ORDER_OBSERVATION
// holds its OBR and everything up to the next one. Segments the structure does not know stay in the
// group they stand in.
struct Group {
  std::string_view name;  // of static storage
  std::vector<SegmentId> segments;
};

struct EditedSegment;  // message_state.h

class Message {
 public:
  // `bytes` is not null. Fails (H1xx) when there is no MSH segment that names delimiters, or when
  // the bytes are more than 4 GB. A byte order mark, line ends, spaces and a start block character
  // before MSH are accepted and kept, and so are blank bytes at the end. Segments end with CR, LF
  // or CRLF, also mixed. A batch is split first (batch.h).
  static Result<Message> parse(Bytes bytes);

  Message(const Message& other);
  Message(Message&&) noexcept;
  Message& operator=(const Message& other);
  Message& operator=(Message&&) noexcept;
  ~Message();

  const Bytes& received() const;
  const Delimiters& delimiters() const;
  std::string type()
      const;  // "ORU^R01": MSH-9.1 and MSH-9.2; "ACK" where MSH-9.2 is empty; "" without MSH-9
  std::string structure()
      const;  // "ORU_R01": MSH-9.3, or what the standard gives for type(); "" when unknown

  // What is odd about the received message (H2xx warnings, with their path): segment names, missing
  // MSH fields, line breaks inside a field … All of them up to `limit`, then one note that says so.
  // Looked up when asked for.
  std::vector<Diagnostic> findings(std::size_t limit = 100) const;

  // -- Segments ---------------------------------------------------------------------------------
  std::size_t segment_count() const;
  SegmentId segment_at(std::size_t position) const;                 // position < segment_count()
  std::optional<std::size_t> position_of(SegmentId segment) const;  // nullopt once removed
  std::string_view name_of(
      SegmentId segment) const;  // up to the first field separator, whatever stands there
  std::optional<SegmentId> find(std::string_view name,
                                std::size_t nth = 1) const;  // nth counts from 1
  std::size_t count(std::string_view name) const;
  std::vector<SegmentId> each(std::string_view name) const;
  std::string text_of(SegmentId segment) const;  // encoded, without terminator

  // `text` is a name ("NTE") or a name with encoded fields ("NTE|1||text"); after the given
  // segment, else at the end.
  Result<SegmentId> add_segment(std::string_view text,
                                std::optional<SegmentId> after = std::nullopt);
  Result<void> remove_segment(SegmentId segment);  // MSH cannot be removed

  // The occurrences of a group such as "PATIENT_RESULT" or "OBSERVATION" (structure.h lists them),
  // of the whole message or of one group. Empty when the message's structure is not known or has no
  // such group.
  std::vector<Group> groups(std::string_view name) const;
  std::vector<Group> groups(std::string_view name, const Group& within) const;

  // -- Places -----------------------------------------------------------------------------------
  // Where a path leads: one place, or with [*] any number. nullopt or empty only when the segment
  // is not there. `[*]` for a repetition gives the repetitions that are there. A relative path
  // needs `base`, and is looked up in it.
  std::optional<Place> locate(const Path& path, std::optional<SegmentId> base = std::nullopt) const;
  std::vector<Place> locate_all(const Path& path,
                                std::optional<SegmentId> base = std::nullopt) const;
  Path path_of(const Place& place) const;  // "OBX[2]-5[1].2", for messages to people

  // How many there are, counting separators: 0 for what is not there, else at least 1. fields() is
  // the highest number, so MSH|^~\&|A has 3. The others look at the field, the repetition and the
  // component that `place` names.
  std::uint32_t fields(SegmentId segment) const;
  std::uint32_t repetitions(const Place& place) const;
  std::uint32_t components(const Place& place) const;
  std::uint32_t subcomponents(const Place& place) const;

  // -- Reading and writing (see above) -----------------------------------------------------------
  // raw(): as it stands, without unescaping; empty when not populated. The view lives until the
  // Message is edited or gone.
  std::optional<std::string> get(const Place& place) const;
  // The same without a copy where that is possible, empty when not populated; `space` holds the
  // text otherwise. The view lives as long as both stay as they are.
  std::string_view text(const Place& place, std::string& space) const;
  // For those who have raw(place) already.
  std::string_view text(const Place& place, std::string_view raw, std::string& space) const;
  std::string_view raw(const Place& place) const;
  bool is_null(const Place& place) const;  // HL7 null: exactly `""`
  bool is_composite(const Place& place) const;

  // Fails (H3xx) for MSH-1 and MSH-2, for a place without a field, and for a removed segment.
  Result<void> set(const Place& place, std::optional<std::string_view> text);
  // set_raw takes the text as encoded at every place, for exact copies.
  Result<void> set_raw(const Place& place, std::string_view encoded);

  // The same by path. With [*], get and raw read the first place that is populated, set writes
  // every place there is. set appends the segment when the path names the next one of its name that
  // is not there yet (or the first).
  std::optional<std::string> get(const Path& path) const;
  std::vector<std::string> get_all(const Path& path) const;  // populated places only
  std::string_view raw(const Path& path) const;
  bool is_null(const Path& path) const;
  Result<void> set(const Path& path, std::optional<std::string_view> text);

  // -- Out --------------------------------------------------------------------------------------
  bool edited() const;
  std::string encode() const;              // the received bytes where nothing was edited
  void encode_to(std::string& out) const;  // appended
  // The same in pieces: those that stand as received are views into *received(), the others live
  // until the call with the next piece.
  void encode_to(const std::function<void(std::string_view)>& piece) const;

 private:
  struct Received;  // bytes and tables, shared by copies, never changed
  struct Edits;     // exists once something was edited

  explicit Message(std::shared_ptr<const Received> received);

  // Text n of a segment: 0 is its name, n the text behind the n-th separator. Empty when it is not
  // there.
  std::string_view text_at(SegmentId segment, std::uint32_t number) const;
  std::string_view field_text(SegmentId segment, std::uint32_t field, bool header) const;
  std::uint32_t key_of(SegmentId segment) const;
  bool exists(SegmentId segment) const;
  bool is_header(SegmentId segment) const;
  bool is_composite(const Place& place, std::string_view text) const;

  const EditedSegment* edited_segment(SegmentId segment) const;
  Edits& edits();
  EditedSegment& edit(SegmentId segment);
  void begin_reordering();
  Result<void> write(const Place& place, std::string_view encoded);
  void put(const Place& place, std::string_view encoded);
  static Error removed_segment();

  // Out is what takes pieces: void(std::string_view).
  template <class Out>
  void give_segment(const Out& out, SegmentId segment) const;
  template <class Out>
  void give_with_edited_fields(const Out& out) const;
  template <class Out>
  void give_in_order(const Out& out) const;
  template <class Out>
  void give_all(const Out& out) const;

  std::shared_ptr<const Received> received_;
  std::unique_ptr<Edits> edits_;
};

}  // namespace cannula::hl7v2
