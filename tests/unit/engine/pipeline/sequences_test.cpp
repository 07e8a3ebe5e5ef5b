// The sequence number protocol (HL7 v2 2.9.1) at the intake of a channel.
#include <gmock/gmock.h>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// MSH-13 of `number`, from the system `sender`.
std::string numbered(int number, const std::string& sequence, const std::string& sender = "LAB") {
  return "MSH|^~\\&|" + sender + "|GEN|EHR|GEN|20260101120000+0000||ORU^R01^ORU_R01|N" +
         std::to_string(number) + "|P|2.5.1|" + sequence + "\rPID|1||A^^^GEN^MR\r";
}

class SequencesTest : public EngineTest {
 protected:
  std::shared_ptr<config::Site> following(const std::string& script = kRelay) {
    auto following = site(script);
    following->channels["lab"].source.set("sequence", true);
    return following;
  }
  // What becomes of each: disposition and MSA-4, as "accepted 7".
  std::vector<std::string> offer(std::vector<std::string> bodies) {
    std::vector<std::string> said;
    last = wires_.offer("lab", std::move(bodies));
    for (const Receipt& receipt : last) {
      std::string one = receipt.disposition == Disposition::accepted  ? "accepted"
                        : receipt.disposition == Disposition::refused ? "refused"
                                                                      : "failed";
      if (receipt.reply && receipt.reply->ack && receipt.reply->ack->expected_sequence) {
        one += " " + std::to_string(*receipt.reply->ack->expected_sequence);
      }
      said.push_back(one);
    }
    return said;
  }
  std::vector<std::string> codes(Engine& engine) {
    engine.store().catch_up();
    std::vector<std::string> codes;
    for (const auto& row : engine.store().messages({}).value()) {
      codes.push_back(std::string(store::name_of(row.state)) + " " + row.code);
    }
    return codes;
  }
  std::vector<Receipt> last;
};

TEST_F(SequencesTest, AreNotLookedAtUnlessTheSourceSaysSo) {
  auto engine = start(site(kRelay));
  EXPECT_THAT(offer({numbered(1, "0"), numbered(2, "17"), numbered(3, "3")}),
              ElementsAre("accepted", "accepted", "accepted"));
  EXPECT_EQ(wires_.delivered(3)[1].payload, numbered(2, "17")) << "MSH-13 is kept";
}

TEST_F(SequencesTest, TheFirstNumberOfALinkIsTakenAndEachIsEchoed) {
  auto engine = start(following());
  EXPECT_THAT(offer({numbered(1, "0")}), ElementsAre("accepted -1"));
  EXPECT_THAT(offer({numbered(2, "17")}), ElementsAre("accepted 17"));
  EXPECT_THAT(offer({numbered(3, " 18 "), numbered(4, "19")}),
              ElementsAre("accepted 18", "accepted 19"));
  EXPECT_THAT(offer({numbered(5, "0")}), ElementsAre("accepted 20")) << "begun anew";
  const auto sent = wires_.delivered(3);
  EXPECT_EQ(sent.size(), 3u) << "what is numbered 0 is not worked";
}

TEST_F(SequencesTest, WhatComesTwiceIsNotWorkedTwice) {
  auto engine = start(following());
  offer({numbered(1, "1"), numbered(2, "2")});
  EXPECT_THAT(offer({numbered(2, "2")}), ElementsAre("accepted 3"));
  offer({numbered(3, "3")});
  EXPECT_EQ(wires_.delivered(3).size(), 3u);
  for (const Receipt& receipt : last) wait_for(*engine, receipt.id, store::MessageState::done);
  EXPECT_THAT(codes(*engine), ElementsAre("done ", "done ", "filtered P325", "done "));
}

TEST_F(SequencesTest, AnotherMessageUnderTheSameNumberIsRefused) {
  auto engine = start(following());
  offer({numbered(1, "1")});
  EXPECT_THAT(offer({numbered(2, "1")}), ElementsAre("refused 2"));
  EXPECT_THAT(last[0].reason.message, HasSubstr("was given to another message"));
}

TEST_F(SequencesTest, WhatIsOutOfOrderIsRefusedWithAnErrorAndKept) {
  auto engine = start(following());
  offer({numbered(1, "5")});
  EXPECT_THAT(offer({numbered(2, "7"), numbered(3, "3"), numbered(4, "6")}),
              ElementsAre("refused 6", "refused 6", "accepted 6"));
  const AckReply& ack = *last[0].reply->ack;
  EXPECT_EQ(ack.outcome, hl7v2::AckOutcome::error);
  ASSERT_EQ(ack.errors.size(), 1u);
  EXPECT_EQ(ack.errors[0].code, "207");
  EXPECT_EQ(ack.errors[0].location, "MSH^1^13");
  EXPECT_EQ(ack.errors[0].diagnostics, "P326");
  EXPECT_THAT(ack.errors[0].text,
              HasSubstr("sequence number 7 is out of order (number 6 is expected"));
  wires_.delivered(2);
  wait_for(*engine, last[2].id, store::MessageState::done);
  EXPECT_THAT(codes(*engine), ElementsAre("done ", "rejected P326", "rejected P326", "done "));
}

TEST_F(SequencesTest, ResynchronisingTakesWhateverComesNext) {
  auto engine = start(following());
  offer({numbered(1, "5")});
  EXPECT_THAT(offer({numbered(2, "-1")}), ElementsAre("accepted -1"));
  EXPECT_THAT(offer({numbered(3, "2")}), ElementsAre("accepted 2"));
  EXPECT_THAT(offer({numbered(4, "-1"), numbered(5, "900"), numbered(6, "901")}),
              ElementsAre("accepted -1", "accepted 900", "accepted 901"));
}

TEST_F(SequencesTest, WhatIsNoNumberIsSaidToBeNone) {
  auto engine = start(following());
  offer({numbered(1, "5")});
  for (const char* none : {"x", "6x", "-2", "1234567890123456", "6.0"}) {
    EXPECT_THAT(offer({numbered(2, none)}), ElementsAre("refused 6")) << none;
    EXPECT_EQ(last[0].reason.code, "P327") << none;
    EXPECT_EQ(last[0].reply->ack->errors[0].code, "102") << none;
  }
}

TEST_F(SequencesTest, MessagesWithoutANumberAreTakenAndCountForNothing) {
  auto engine = start(following());
  EXPECT_THAT(offer({numbered(1, "5"), numbered(2, ""), numbered(3, "6")}),
              ElementsAre("accepted 5", "accepted", "accepted 6"));
}

TEST_F(SequencesTest, EachSenderIsALinkOfItsOwn) {
  auto engine = start(following());
  EXPECT_THAT(offer({numbered(1, "5", "ONE"), numbered(2, "9", "TWO"), numbered(3, "6", "ONE"),
                     numbered(4, "10", "TWO")}),
              ElementsAre("accepted 5", "accepted 9", "accepted 6", "accepted 10"));
}

TEST_F(SequencesTest, ANumberIsNotUsedUpByWhatIsRefused) {
  auto site = following();
  site->channels["lab"].partner = "lab";
  config::PartnerConfig partner;
  partner.may = {"ADT^A01"};
  site->partners["lab"] = partner;
  auto engine = start(site);
  EXPECT_THAT(offer({numbered(1, "0")}), ElementsAre("accepted -1"))
      << "what is numbered 0 needs no permission";
  EXPECT_THAT(offer({numbered(2, "5")}), ElementsAre("refused -1"));
}

TEST_F(SequencesTest, AreKnownAfterARestart) {
  {
    auto engine = start(following());
    offer({numbered(1, "5", "ONE"), numbered(2, "9", "TWO"), numbered(3, "-1", "TWO")});
    engine->stop();
  }
  auto engine = start(following());
  EXPECT_THAT(offer({numbered(1, "5", "ONE")}), ElementsAre("accepted 6")) << "the same message";
  EXPECT_THAT(offer({numbered(4, "5", "ONE")}), ElementsAre("refused 6")) << "another one";
  EXPECT_THAT(offer({numbered(5, "6", "ONE"), numbered(6, "0", "TWO")}),
              ElementsAre("accepted 6", "accepted -1"));
}

// The new listener took a number before another one failed.
TEST_F(SequencesTest, AreKnownAfterAReloadThatFailed) {
  auto before = following();
  before->channels["zzz"] = channel("zzz", kRelay);
  auto engine = start(before);
  EXPECT_THAT(offer({numbered(1, "1")}), ElementsAre("accepted 1"));
  auto changed = following();
  changed->channels["lab"].source_written = "another";
  changed->channels["zzz"] = channel("zzz", kRelay);
  changed->channels["zzz"].source_written = "another";
  wires_.refuse_to_listen_on = "zzz";
  std::future<std::vector<Receipt>> meanwhile;
  wires_.when_listening = [&](const std::string& name) {
    if (name != "lab") return;
    wires_.when_listening = nullptr;
    meanwhile = wires_.offer_later("lab", numbered(2, "2"));
  };
  EXPECT_FALSE(engine->reload(changed).empty());
  // It may have come too late for that listener, and then nothing of it is kept.
  const bool taken = meanwhile.get()[0].disposition == Disposition::accepted;
  EXPECT_THAT(offer({numbered(2, "2")}), ElementsAre(taken ? "accepted 3" : "accepted 2"))
      << "it is told what is due";
  EXPECT_THAT(offer({numbered(3, "3")}), ElementsAre("accepted 3"));
  EXPECT_EQ(wires_.delivered(3).size(), 3u);
}

TEST_F(SequencesTest, TwoConnectionsOfOneSenderDoNotTakeOneNumberTwice) {
  auto engine = start(following());
  std::vector<std::future<std::vector<Receipt>>> offers;
  for (int i = 0; i < 16; ++i) {
    offers.push_back(std::async(
        std::launch::async, [this, i] { return wires_.offer("lab", {numbered(100 + i, "1")}); }));
  }
  int accepted = 0;
  for (auto& offer : offers) {
    if (offer.get()[0].disposition == Disposition::accepted) ++accepted;
  }
  EXPECT_EQ(accepted, 1);
}

TEST_F(SequencesTest, WhatItsScriptRejectsHasUsedUpItsNumber) {
  auto rejecting = following("function main(msg) return reject('unknown patient') end");
  rejecting->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(rejecting);
  EXPECT_THAT(offer({numbered(1, "5")}), ElementsAre("refused 5"));
  EXPECT_THAT(offer({numbered(2, "6")}), ElementsAre("refused 6"));
}

// A destination whose sender sends in one line and counts what it sends.
class LineTest : public EngineTest {};

TEST_F(LineTest, WhatIsStuckHoldsEverythingBehindItUntilAPersonResendsIt) {
  std::atomic<bool> stuck{true};
  wires_.deliver_remembering = [&](const Parcel& parcel,
                                   Memory&) -> boost::asio::awaitable<Remembered> {
    Remembered ended;
    ended.answer.response = make_bytes("MSA|AE");
    ended.stuck = stuck && parcel.payload->find("|N1|") != std::string::npos;
    if (ended.stuck) ended.answer.reason = Error("M212", "another number is expected");
    if (!ended.stuck) ended.answer.kind = Answer::Kind::delivered;
    co_return ended;
  };
  auto by_patient = site(kRelay);
  by_patient->channels["lab"].order.by = config::OrderConfig::By::paths;
  by_patient->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
  auto engine = start(by_patient);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  for (int i = 0; i < 6000; ++i) {
    engine->store().catch_up();
    const auto rows = engine->store().deliveries(receipts[0].id).value();
    if (!rows.empty() && rows[0].state == store::DeliveryState::held) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const auto held = engine->store().deliveries(receipts[0].id).value();
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].state, store::DeliveryState::held);
  EXPECT_EQ(held[0].code, "M212");
  for (const Receipt& other : wires_.offer("lab", {oru(2, "B"), oru(3, "C")}))
    wait_for(*engine, other.id, store::MessageState::queued);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(wires_.delivered_count(), 0u) << "other patients wait too";
  engine->stop();

  engine = start(by_patient);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(wires_.delivered_count(), 0u) << "also after a restart";
  stuck = false;
  ASSERT_TRUE(engine->resend(receipts[0].id, 1, "ines", "the receiver is right again"));
  const auto sent = wires_.delivered(3);
  EXPECT_EQ(sent[0].payload, oru(1, "A"));
}

// What senders call themselves is kept for good.
TEST_F(SequencesTest, ASenderWithANameThatIsTooLongIsRefused) {
  auto engine = start(following());
  const std::string longest(Sequences::kLongestSender, 'S');
  EXPECT_THAT(offer({numbered(1, "1", longest), numbered(2, "1", longest + "S"),
                     numbered(3, "0", longest + "S"), numbered(4, "", longest + "S")}),
              ElementsAre("accepted 1", "refused", "refused", "accepted"));
  EXPECT_EQ(last[1].reason.code, "P337");
  EXPECT_THAT(last[1].reason.message, HasSubstr("456 bytes"));
}

TEST_F(SequencesTest, MoreSendersThanALotAreRefusedAndThoseThatOnlyBeganAreNotKept) {
  auto engine = start(following("function main(msg) end"));
  std::vector<std::string> many;
  for (std::size_t i = 0; i < Sequences::kMostLinks + 100; ++i) {
    many.push_back(numbered(1, i % 2 == 0 ? "0" : "-1", "BEGAN" + std::to_string(i)));
  }
  for (const std::string& one : offer(std::move(many))) ASSERT_EQ(one, "accepted -1");
  many.clear();
  for (std::size_t i = 0; i < Sequences::kMostLinks; ++i) {
    many.push_back(numbered(1, "1", "S" + std::to_string(i)));
  }
  for (const std::string& one : offer(std::move(many))) ASSERT_EQ(one, "accepted 1");
  EXPECT_THAT(offer({numbered(2, "1", "ONE MORE"), numbered(3, "2", "S7"), numbered(4, "", "ANY")}),
              ElementsAre("refused", "accepted 2", "accepted"));
  EXPECT_EQ(last[0].reason.code, "P337");
  EXPECT_THAT(offer({numbered(5, "-1", "S8"), numbered(6, "0", "S9")}),
              ElementsAre("accepted -1", "accepted 2"));
  EXPECT_THAT(offer({numbered(7, "1", "ONE MORE")}), ElementsAre("accepted 1")) << "in place of S8";
}

}  // namespace
}  // namespace cannula::pipeline
