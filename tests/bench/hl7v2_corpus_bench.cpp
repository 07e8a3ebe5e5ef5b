// What the promises of HL7 v2 are measured by: every message of the public corpus beside the floor,
// a message of 20 MB, and messages that were made to be slow.
//
// The corpus is looked for as the conformance tests do (CANNULA_CORPUS, ../shared/corpus).
#include <algorithm>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "parsers/hl7v2/batch.h"
#include "tests/bench/hl7v2_floor.h"
#include "tests/conformance/corpus.h"

// Memory that is held, and the most that was: everything goes through here, operator new too.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-inconsistent-declaration-parameter-name)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_realloc(void*, std::size_t);
void __libc_free(void*);
}

namespace {
std::size_t held = 0;
std::size_t most_held = 0;

void* taken(void* block) {
  if (block != nullptr) held += malloc_usable_size(block);
  most_held = std::max(most_held, held);
  return block;
}
}  // namespace

extern "C" void* malloc(std::size_t size) {
  return taken(__libc_malloc(size));
}
extern "C" void* realloc(void* block, std::size_t size) {
  if (block != nullptr) held -= malloc_usable_size(block);
  return taken(__libc_realloc(block, size));
}
extern "C" void free(void* block) {
  if (block != nullptr) held -= malloc_usable_size(block);
  __libc_free(block);
}
// NOLINTEND(bugprone-reserved-identifier,readability-inconsistent-declaration-parameter-name)

namespace cannula::hl7v2 {
namespace {

// -- The corpus ---------------------------------------------------------------------------------

// With CR as line end, as messages are sent; in files many have LF.
std::string as_sent(std::string_view text) {
  std::string sent;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' && at > 0 && text[at - 1] == '\r') continue;
    sent += text[at] == '\n' ? '\r' : text[at];
  }
  while (sent.ends_with("\r\r")) sent.pop_back();
  return sent;
}

std::vector<Bytes> corpus() {
  std::vector<Bytes> messages;
  const auto folder = conformance::corpus_folder("hl7v2");
  if (folder.empty()) return messages;
  for (const auto& path : conformance::files_below(folder)) {
    const std::string bytes = conformance::read_file(path);
    for (const Span& span : split_messages(bytes)) {
      Bytes message = make_bytes(as_sent(std::string_view(bytes).substr(span.begin, span.size())));
      // What the floor cannot do the same: no usable header, no field to edit.
      const auto parsed = Message::parse(message);
      if (!parsed || parsed->fields(0) < 5) continue;
      std::string ours;
      std::string floor;
      Work().run(message, ours);
      Floor().run(*message, floor);
      if (ours == floor) messages.push_back(std::move(message));
    }
  }
  return messages;
}

void Corpus(benchmark::State& state) {
  const std::vector<Bytes> messages = corpus();
  if (messages.empty()) return state.SkipWithError("there is no corpus: set CANNULA_CORPUS");
  std::size_t size = 0;
  for (const Bytes& message : messages) size += message->size();
  const Work work;
  Floor floor_loop;
  std::string out;
  double ours = 0;
  double floor = 0;
  for (auto _ : state) {
    double round = 0;
    // In turn, a few messages each, so that what disturbs one disturbs the other.
    constexpr std::size_t kTurn = 64;
    for (std::size_t first = 0; first < messages.size(); first += kTurn) {
      const std::size_t last = std::min(first + kTurn, messages.size());
      const double begin = processor_seconds();
      for (std::size_t at = first; at < last; ++at) {
        benchmark::DoNotOptimize(work.run(messages[at], out));
      }
      const double middle = processor_seconds();
      for (std::size_t at = first; at < last; ++at) {
        benchmark::DoNotOptimize(floor_loop.run(*messages[at], out));
      }
      floor += processor_seconds() - middle;
      round += middle - begin;
    }
    ours += round;
    state.SetIterationTime(round);
  }
  const double megabytes =
      static_cast<double>(state.iterations()) * static_cast<double>(size) / 1e6;
  state.counters["messages"] = static_cast<double>(messages.size());
  state.counters["MB/s"] = megabytes / ours;
  state.counters["floor_MB/s"] = megabytes / floor;
  state.counters["ratio"] = floor / ours;
}
BENCHMARK(Corpus)->UseManualTime();

// -- Twenty megabytes ---------------------------------------------------------------------------

std::string with_document(std::size_t bytes) {
  std::string text =
      "MSH|^~\\&|LAB|NORTH|EHR|WARD|20260115093042||MDM^T02|M-1|P|2.5.1\r"
      "PID|1||4711^^^NORTH^MR||MUSTER^ANNA\r"
      "OBX|1|ED|PDF^Report^L||^AP^^Base64^";
  const std::string line =
      "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0ZURlY29k";
  while (text.size() + line.size() < bytes) text += line;
  return text + "||||||F\r";
}

// Its document read, another field edited, encoded. `besides` is the memory beyond input and
// output, by the size of the input.
void TwentyMegabytes(benchmark::State& state) {
  const Bytes bytes = make_bytes(with_document(20'000'000));
  const Path document = *Path::parse("OBX-5.5");
  const Path ward = *Path::parse("MSH-6");
  double besides = 0;
  for (auto _ : state) {
    const std::size_t before = held;
    most_held = held;
    auto message = *Message::parse(bytes);
    const auto place = *message.locate(document);
    std::string space;
    benchmark::DoNotOptimize(message.text(place, space).size());
    benchmark::DoNotOptimize(message.set(ward, "INTENSIVE CARE"));
    const std::string out = message.encode();
    benchmark::DoNotOptimize(out.data());
    besides = static_cast<double>(most_held - before - out.capacity()) /
              static_cast<double>(bytes->size());
  }
  state.counters["besides"] = besides;
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes->size()));
}
BENCHMARK(TwentyMegabytes)->Unit(benchmark::kMillisecond);

// -- Made to be slow ----------------------------------------------------------------------------

// A header and a patient, then so many bytes of a pattern, in the shape that the case is about.
std::string patterned(std::string_view begin, std::string_view pattern, std::size_t bytes) {
  std::string text = "MSH|^~\\&|LAB|NORTH|EHR|WARD|20260115093042||ORU^R01|M-1|P|2.5.1\r";
  text += begin;
  while (text.size() < bytes) text += pattern;
  return text;
}

struct Slow {
  const char* name;
  std::string_view begin;
  std::string_view pattern;
};
constexpr Slow kSlow[] = {
    {"field_separators", "OBX|1", "|"},
    {"line_ends", "", "\r"},
    {"CR_LF", "", "\r\n"},
    {"blank_lines", "", " \r"},
    {"tiny_segments", "", "A\r"},
    {"many_OBX", "", "OBX|1|NM|K^Potassium^L||4.1|mmol/L\r"},
    {"repetitions", "OBX|1|NM|K||", "~"},
    {"components", "OBX|1|NM|", "^"},
    {"subcomponents", "OBX|1|NM|K||", "&"},
    {"escapes", "OBX|1|ST|K||", "\\T\\"},
    {"half_escapes", "OBX|1|ST|K||", "\\"},
    {"no_line_end", "OBX|1|ST|K||", "x"},
};

double seconds_of(const Work& work, const Bytes& bytes) {
  std::string out;
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = processor_seconds();
    benchmark::DoNotOptimize(work.run(bytes, out));
    best = std::min(best, processor_seconds() - begin);
  }
  return best;
}

// `growth`: what a byte costs in a message eight times as large, against the smaller one. 1 is
// linear, 8 quadratic; up to 3 is memory that no longer fits the caches.
void MadeToBeSlow(benchmark::State& state, const Slow& slow) {
  const Work work;
  const Bytes small = make_bytes(patterned(slow.begin, slow.pattern, 4'000'000));
  const Bytes large = make_bytes(patterned(slow.begin, slow.pattern, 32'000'000));
  double seconds = 0;
  double growth = 1e9;
  for (auto _ : state) {
    const double one = seconds_of(work, small);
    const double eight = seconds_of(work, large);
    growth = std::min(growth, eight / one / 8);
    seconds = eight;
    state.SetIterationTime(eight);
  }
  state.counters["growth"] = growth;
  state.counters["MB/s"] = static_cast<double>(large->size()) / 1e6 / seconds;
}

const bool registered = [] {
  for (const Slow& slow : kSlow) {
    benchmark::RegisterBenchmark((std::string("MadeToBeSlow/") + slow.name).c_str(),
                                 [&slow](benchmark::State& state) { MadeToBeSlow(state, slow); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(3);
  }
  return true;
}();

}  // namespace
}  // namespace cannula::hl7v2
