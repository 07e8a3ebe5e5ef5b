// What it costs to work a message of the usual kind, beside the floor of hl7v2_floor.h. `ratio` is
// how near the floor we are (1 = as fast).
#include <string>

#include <benchmark/benchmark.h>

#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/header.h"
#include "parsers/hl7v2/message.h"
#include "tests/bench/hl7v2_floor.h"

namespace cannula::hl7v2 {
namespace {

// An invented result of 918 bytes, of the shape that laboratories send most.
const std::string& message_text() {
  static const std::string text = [] {
    std::string out =
        "MSH|^~\\&|LABSYS|NORTH "
        "CLINIC^2.16.840.1.113883.3.99^ISO|EHR|WARD|20260115093042+0100||ORU^R01^ORU_R01|MSG000"
        "17431|P|2.5.1\r"
        "PID|1||4711^^^NORTH&2.16.840.1.113883.3.99&ISO^MR~99-1^^^STATE^SS||MUSTER^ANNA^BERTA^^^^L|"
        "|19700101|F|||1 MAIN "
        "STREET^^SPRINGFIELD^IL^62701||(217)555-0100\r"
        "PV1|1|I|WARD 3^12^A^NORTH||||1234^BAUER^EVA^^^DR|||MED||||||||V-20260115\r"
        "ORC|RE|ORD-77|FIL-91||CM\r"
        "OBR|1|ORD-77|FIL-91|24323-8^Comprehensive metabolic "
        "panel^LN|||20260115081500|||||||||1234^BAUER^EVA\r"
        "OBX|1|NM|2823-3^Potassium^LN||4.1|mmol/L|3.5-5.1|N|||F|||20260115081500\r"
        "OBX|2|NM|2951-2^Sodium^LN||139|mmol/L|136-145|N|||F|||20260115081500\r"
        "OBX|3|NM|2160-0^Creatinine^LN||0.9|mg/dL|0.6-1.2|N|||F|||20260115081500\r"
        "NTE|1|L|";
    out += std::string(917 - out.size(), 'x');
    return out + "\r";
  }();
  return text;
}

// -- Benchmarks ---------------------------------------------------------------------------------

void report_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void ParseReadEditEncode(benchmark::State& state) {
  const Bytes bytes = make_bytes(message_text());
  const Work work;
  Floor floor_loop;
  std::string out;
  double ours = 0;
  double floor = 0;
  constexpr int kRound = 64;  // both in turn, so that what disturbs one disturbs the other
  for (auto _ : state) {
    const double begin = processor_seconds();
    for (int i = 0; i < kRound; ++i) benchmark::DoNotOptimize(work.run(bytes, out));
    const double middle = processor_seconds();
    for (int i = 0; i < kRound; ++i) benchmark::DoNotOptimize(floor_loop.run(*bytes, out));
    const double end = processor_seconds();
    ours += middle - begin;
    floor += end - middle;
    state.SetIterationTime(middle - begin);
  }
  report_bytes(state, bytes->size() * kRound);
  const double megabytes = static_cast<double>(state.iterations() * kRound * bytes->size()) / 1e6;
  state.counters["MB/s"] = megabytes / ours;
  state.counters["floor_MB/s"] = megabytes / floor;
  state.counters["ratio"] = floor / ours;
}
BENCHMARK(ParseReadEditEncode)->UseManualTime();

void Parse(benchmark::State& state) {
  const Bytes bytes = make_bytes(message_text());
  for (auto _ : state) benchmark::DoNotOptimize(Message::parse(bytes));
  report_bytes(state, bytes->size());
}
BENCHMARK(Parse);

// A document of 1.6 MB in OBX-5, which takes other engines minutes.
void ParseAndReadAnEmbeddedDocument(benchmark::State& state) {
  const Bytes bytes = make_bytes(message_text() + "OBX|4|ED|PDF^Report^L||^AP^^Base64^" +
                                 std::string(1600000, 'Q') + "\r");
  const Path path = *Path::parse("OBX[4]-5.5");
  for (auto _ : state) {
    const auto message = Message::parse(bytes);
    benchmark::DoNotOptimize(message->raw(path).size());
  }
  report_bytes(state, bytes->size());
}
BENCHMARK(ParseAndReadAnEmbeddedDocument);

void ReadOneField(benchmark::State& state) {
  const Message message = *Message::parse(make_bytes(message_text()));
  const Path path = *Path::parse("OBX[2]-3.1");
  for (auto _ : state) benchmark::DoNotOptimize(message.get(path));
}
BENCHMARK(ReadOneField);

void ParsePath(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Path::parse("PID-3[1].4"));
}
BENCHMARK(ParsePath);

void PeekHeader(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Header::peek(message_text()));
}
BENCHMARK(PeekHeader);

void Acknowledge(benchmark::State& state) {
  const Header header = *Header::peek(message_text());
  AckDetails details;
  details.control_id = "C-0000001";
  for (auto _ : state) {
    details.time += 1000;
    benchmark::DoNotOptimize(acknowledge(header, AckOutcome::accepted, details));
  }
}
BENCHMARK(Acknowledge);

void Groups(benchmark::State& state) {
  const Message message = *Message::parse(make_bytes(message_text()));
  for (auto _ : state) benchmark::DoNotOptimize(message.groups("OBSERVATION"));
}
BENCHMARK(Groups);

}  // namespace
}  // namespace cannula::hl7v2
