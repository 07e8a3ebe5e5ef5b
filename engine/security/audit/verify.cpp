#include "engine/security/audit/verify.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cannula::audit {
namespace {

constexpr std::size_t kMostFindings = 200;
constexpr const char* kAcceptHint =
    "who can write the files could have done it: find out what happened, and compare with an "
    "anchor from the engine's log (--anchor); when you stand for it, `cannula audit accept`";
constexpr const char* kJournalHint =
    "messages are missing that were on disk, for the journal was cut or an older copy put in its "
    "place; or the trail is another store's; keep a copy of the store's folder as it is, index.db "
    "too, and compare with the last backup";

// What an entry says of the trail itself.
struct TrailLine {
  std::string damage;  // how it was not as it had been left
  std::optional<Head> accepted;
};

TrailLine trail_line_of(std::string_view line) {
  TrailLine told;
  if (line.find(kDamaged) == line.npos && line.find(kAccept) == line.npos) return told;
  const auto value = nlohmann::json::parse(line, nullptr, false);
  const auto text = [&](const char* pointer) {
    const nlohmann::json::json_pointer place(pointer);
    if (!value.is_object() || !value.contains(place)) return std::string();
    return value[place].is_string() ? value[place].get<std::string>() : std::string();
  };
  const std::string act = text("/act");
  if (act == kDamaged) told.damage = "it says: " + text("/reason");
  if (act == kAccept && text("/outcome") == name_of(Outcome::done))
    told.accepted = anchor_of(text("/detail/up_to"));
  return told;
}

struct Line {
  std::shared_ptr<const Source> source;
  Span span;
  bool entry = false;  // it is one, and its own seal fits or cannot be judged
  bool readable = false;
  bool plain = false;      // under a plain hash that anyone can compute
  bool key_known = false;  // that sealed it
  std::uint64_t sequence = 0;
  std::uint64_t by_name = 0;  // of the first line of a file: what the file's name says that it is
  std::string before;
  std::string mac;
  JournalLine journal;
  TrailLine trail;
};

class Verification {
 public:
  explicit Verification(const VerifyOptions& options)
      : options_(options),
        files_(options.file_system ? *options.file_system : store::FileSystem::real()) {
    sealers_.emplace_back();
    if (!options.key.empty()) sealers_.emplace_back(options.key);
    for (const std::string& key : options.old_keys) sealers_.emplace_back(key);
  }

  Result<Verdict> run() {
    // The head first: the trail may grow meanwhile, but not shrink.
    // A plain hash over it says nothing once there are keys.
    std::optional<RememberedHead> remembered;
    for (std::size_t i = sealers_.size() > 1 ? 1 : 0; i < sealers_.size(); ++i) {
      if (!remembered || remembered->other_key)
        remembered = read_head(options_.directory, files_, sealers_[i]);
    }
    TRY(read());
    walk();
    compare_head(remembered);
    compare_journal();
    for (const Head& anchor : options_.anchors) compare(anchor, "the anchor that was given");
    const std::uint64_t accepted = accepted_up_to();
    judge_damage(accepted);
    judge_plain(accepted);
    return std::move(verdict_);
  }

 private:
  Result<void> read() {
    const auto names = trail_files(options_.directory, files_);
    for (const std::string& name : names) {
      const auto path = options_.directory / name;
      auto file = TRY(files_.open(path, store::FileSystem::Access::read));
      std::string text(static_cast<std::size_t>(TRY(file->size())), '\0');
      text.resize(TRY(file->read(0, text.data(), text.size())));
      const auto source = std::make_shared<const Source>(path.string(), std::move(text));
      const std::size_t first = lines_.size();
      split(source, name == names.back());
      if (lines_.size() > first) lines_[first].by_name = std::stoull(name);
    }
    return {};
  }

  // At the trail's end a power failure leaves lines without an end, or with zeros where sectors did
  // not reach the disk. Whether what is there is enough, the head tells.
  void split(const std::shared_ptr<const Source>& source, bool last) {
    const std::string_view text = source->text();
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const bool torn = end == text.size() ||
                        text.substr(begin, end - begin).find('\0') != std::string_view::npos;
      add_line(source, begin, end, torn && last);
      if (torn && last) break;
      begin = end + 1;
    }
  }

  void add_line(const std::shared_ptr<const Source>& source, std::size_t begin, std::size_t end,
                bool torn) {
    Line line;
    line.source = source;
    line.span = Span{begin, end};
    if (torn) {
      add(Severity::note, "A108", &line, "this line is not whole: it was being written",
          "nothing was answered for it; the engine cuts it off when it goes on");
      return;
    }
    const auto link = link_of(source->text().substr(begin, end - begin));
    if (!link) {
      add(Severity::error, "A102", &line, "this line is not an entry any more", "");
    } else {
      line.readable = true;
      line.sequence = link->sequence;
      line.before = link->before;
      line.mac = link->mac;
      line.entry = judge_seal(*link, line);
      line.plain = link->key_id.empty();
      line.key_known = !unknown_keys_.contains(link->key_id);
      line.journal = journal_line_of(source->text().substr(begin, end - begin));
      line.trail = trail_line_of(source->text().substr(begin, end - begin));
    }
    lines_.push_back(std::move(line));
  }

  bool judge_seal(const ChainLink& link, const Line& line) {
    const auto sealer = std::find_if(sealers_.begin(), sealers_.end(), [&](const Sealer& one) {
      return one.key_id() == link.key_id;
    });
    if (sealer == sealers_.end()) {
      if (unknown_keys_.insert(link.key_id).second) {
        add(Severity::error, "A107", &line,
            fmt::format("entry {} and others are sealed with the key {}, which is not at hand",
                        link.sequence, link.key_id),
            "give the key of that time with --old-key; only the order of these is checked");
      }
      return true;
    }
    if (link.key_id.empty() && keyed_) {
      add(Severity::error, "A102", &line,
          fmt::format("entry {} has no key, but the ones before it have", link.sequence),
          "it was not written by an engine that has the key");
      return false;
    }
    keyed_ = keyed_ || !link.key_id.empty();
    if (link.key_id.empty()) ++verdict_.without_key;
    if (sealer->mac(link.sealed) == link.mac) return true;
    add(Severity::error, "A102", &line,
        fmt::format("entry {} was changed: its seal does not fit what it says", link.sequence), "");
    return false;
  }

  // The lines whose numbers rise, as many as there can be, are in their place; the others were
  // moved or put in. Then along the chain of those.
  void walk() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].readable) by_sequence_.emplace(lines_[i].sequence, i);
    }
    const std::set<std::size_t> in_place = longest_rising(best_of_each_number());
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].readable && !in_place.contains(i)) out_of_place(i);
    }
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (!lines_[i].readable) {
        ++unreadable_;
      } else if (in_place.contains(i)) {
        follow(i);
      }
    }
    verdict_.head = at_;
  }

  // Of several lines that say to be the same entry, the one that hangs in the chain best.
  std::vector<std::size_t> best_of_each_number() const {
    std::vector<std::size_t> best;
    for (auto one = by_sequence_.begin(); one != by_sequence_.end();) {
      const auto [begin, end] = by_sequence_.equal_range(one->first);
      one = std::max_element(begin, end, [&](const auto& a, const auto& b) {
        return ties(lines_[a.second]) < ties(lines_[b.second]);
      });
      best.push_back(one->second);
      one = end;
    }
    std::sort(best.begin(), best.end());
    return best;
  }

  int ties(const Line& line) const {
    return (continues_another(line) ? 1 : 0) + (is_continued(line) ? 1 : 0) + (line.entry ? 1 : 0);
  }

  bool continues_another(const Line& line) const {
    if (line.sequence == 1) return line.before == Head().mac;
    const auto [begin, end] = by_sequence_.equal_range(line.sequence - 1);
    return std::any_of(begin, end,
                       [&](const auto& one) { return lines_[one.second].mac == line.before; });
  }

  bool is_continued(const Line& line) const {
    const auto [begin, end] = by_sequence_.equal_range(line.sequence + 1);
    return std::any_of(begin, end,
                       [&](const auto& one) { return lines_[one.second].before == line.mac; });
  }

  // By patience sorting: ends[n] is the smallest number that a rising row of n + 1 lines ends with.
  std::set<std::size_t> longest_rising(const std::vector<std::size_t>& candidates) const {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::vector<std::size_t> ends;
    std::map<std::size_t, std::size_t> before;
    for (const std::size_t i : candidates) {
      const auto place = std::lower_bound(ends.begin(), ends.end(), i, [&](auto a, auto b) {
        return lines_[a].sequence < lines_[b].sequence;
      });
      before[i] = place == ends.begin() ? kNone : *(place - 1);
      if (place == ends.end()) {
        ends.push_back(i);
      } else {
        *place = i;
      }
    }
    std::set<std::size_t> row;
    for (std::size_t i = ends.empty() ? kNone : ends.back(); i != kNone; i = before[i])
      row.insert(i);
    return row;
  }

  void out_of_place(std::size_t i) {
    const Line& line = lines_[i];
    if (by_sequence_.count(line.sequence) == 1 && (continues_another(line) || is_continued(line))) {
      moved_.insert(line.sequence);
      macs_[line.sequence] = line.mac;
      ++verdict_.entries;
      add(Severity::error, "A105", &line,
          fmt::format("entry {} stands in the wrong place", line.sequence), "");
    } else {
      add(Severity::error, "A104", &line,
          fmt::format("this line was put in: it says to be entry {}, which it is not",
                      line.sequence),
          "");
    }
  }

  void follow(std::size_t i) {
    const Line& line = lines_[i];
    if (line.sequence != at_.sequence + 1 || line.before != at_.mac) {
      jump(i);
    } else if (line.by_name != 0 && line.by_name != line.sequence) {
      add(Severity::error, "A105", &line,
          fmt::format("the file was renamed: by its name it begins with entry {}, but it begins "
                      "with entry {}",
                      line.by_name, line.sequence),
          "");
    }
    at_ = {line.sequence, line.mac};
    trusted_ = line.entry;
    if (line.entry) follow_journal(line);
    macs_[line.sequence] = line.mac;
    ++verdict_.entries;
    unreadable_ = 0;
  }

  // A journal only grows, unless a person puts an older one back, which is entered.
  void follow_journal(const Line& line) {
    if (line.journal.restored) told_.reset();
    if (!line.journal.end) return;
    if (told_) {
      const std::string why = why_not_the_same(*line.journal.end, *told_->journal.end);
      if (!why.empty()) {
        add(Severity::error, "A112", &line,
            fmt::format("when entry {} was written, {} (entry {})", line.sequence, why,
                        told_->sequence),
            kJournalHint);
      }
    }
    told_ = line;
  }

  void compare_journal() {
    if (!options_.journal) return;
    const auto now = options_.journal();
    if (!now) {
      add(told_ ? Severity::error : Severity::note, "A112", nullptr,
          "where the journal ends cannot be told: " + now.error().message, now.error().hint);
      return;
    }
    if (!told_) return;
    if (const std::string why = why_not_the_same(*now, *told_->journal.end); !why.empty()) {
      add(Severity::error, "A112", &*told_, fmt::format("{} (entry {})", why, told_->sequence),
          kJournalHint);
    }
  }

  void jump(std::size_t i) {
    const Line& line = lines_[i];
    const std::uint64_t expected = at_.sequence + 1;
    if (line.sequence == expected) {
      // Already told when the seal of one of them does not fit.
      if (trusted_ && line.entry) {
        add(Severity::error, "A102", &line,
            fmt::format("entry {} does not continue entry {}: one of them was written anew",
                        expected, at_.sequence),
            "");
      }
    } else {
      std::uint64_t missing = 0, first = 0, last = 0;
      for (std::uint64_t one = expected; one < line.sequence; ++one) {
        if (moved_.contains(one)) continue;
        if (missing++ == 0) first = one;
        last = one;
        if (missing > 1'000'000) {  // a number that someone invented
          last = line.sequence - 1;
          break;
        }
      }
      if (missing > unreadable_) {
        add(Severity::error, "A103", &line,
            first == last
                ? fmt::format("entry {} is missing before this line", first)
                : fmt::format("entries {} to {} are missing before this line", first, last),
            "");
      }
    }
  }

  void compare_head(const std::optional<RememberedHead>& remembered) {
    if (lines_.empty() && (!remembered || remembered->head.sequence == 0)) {
      if (!options_.has_records || !options_.has_records()) return;
      add(Severity::error, "A113", nullptr,
          fmt::format("there is no trail in {}, and the store has records",
                      options_.directory.string()),
          "it was taken away: find out by whom; an anchor from the engine's log tells how far it "
          "went");
      return;
    }
    if (!remembered) {
      add(Severity::error, "A106", nullptr,
          fmt::format("{} is missing, which remembers how far the trail goes",
                      head_file(options_.directory).string()),
          "whether entries are missing at the end can be told by an anchor from the engine's log");
      return;
    }
    if (!remembered->genuine) {
      add(Severity::error, "A106", nullptr,
          fmt::format("{} was changed, or written under another key",
                      head_file(options_.directory).string()),
          "an anchor from the engine's log tells how far the trail goes");
      return;
    }
    compare(remembered->head, head_file(options_.directory).filename().string());
  }

  void compare(const Head& head, const std::string& whose) {
    const Line* last = lines_.empty() ? nullptr : &lines_.back();
    if (head.sequence > at_.sequence) {
      add(Severity::error, "A106", last,
          fmt::format("the trail ends with entry {}, but {} tells of {}: {} missing at the end",
                      at_.sequence, whose, head.sequence,
                      head.sequence - at_.sequence == 1
                          ? std::string("one entry is")
                          : fmt::format("{} entries are", head.sequence - at_.sequence)),
          "");
      return;
    }
    const auto mac = macs_.find(head.sequence);
    if (head.sequence == 0 || mac == macs_.end() || mac->second == head.mac) return;
    const auto line = by_sequence_.find(head.sequence);
    add(Severity::error, "A102", line == by_sequence_.end() ? last : &lines_[line->second],
        fmt::format("entry {} is not the one that {} tells of", head.sequence, whose),
        "it, or something before it, was written anew");
  }

  // The last entry that somebody stands for who is not whoever can write the files.
  std::uint64_t accepted_up_to() const {
    std::uint64_t accepted = 0;
    const auto add = [&](const Head& head) {
      const auto mac = macs_.find(head.sequence);
      if (mac != macs_.end() && mac->second == head.mac)
        accepted = std::max(accepted, head.sequence);
    };
    for (const Head& anchor : options_.anchors) add(anchor);
    for (const Line& line : lines_) {
      const bool vouched = line.entry && line.key_known && (options_.key.empty() || !line.plain);
      const auto& head = line.trail.accepted;
      if (vouched && head && head->sequence < line.sequence) add(*head);
    }
    return accepted;
  }

  void judge_damage(std::uint64_t accepted) {
    for (const Line& line : lines_) {
      if (line.trail.damage.empty()) continue;
      const bool known = line.sequence <= accepted;
      add(known ? Severity::note : Severity::error, "A113", &line,
          fmt::format("before entry {} the trail was not as it had been left; {}", line.sequence,
                      line.trail.damage),
          known ? "somebody stands for that" : kAcceptHint);
    }
  }

  void judge_plain(std::uint64_t accepted) {
    if (options_.key.empty() || verdict_.without_key == 0) return;
    const auto open = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) {
      return line.readable && line.plain && line.sequence > accepted;
    });
    const bool known = open == lines_.end();
    add(known ? Severity::note : Severity::error, "A109", known ? nullptr : &*open,
        fmt::format("{} entries carry a plain hash: they were written without a key",
                    verdict_.without_key),
        known ? "somebody stands for them" : kAcceptHint);
  }

  void add(Severity severity, std::string code, const Line* line, std::string message,
           std::string hint) {
    if (verdict_.findings.size() >= kMostFindings) return;
    Diagnostic finding;
    finding.severity = severity;
    finding.code = std::move(code);
    finding.message = std::move(message);
    finding.hint = std::move(hint);
    if (line) {
      finding.source = line->source;
      finding.span = line->span;
    }
    verdict_.findings.push_back(std::move(finding));
  }

  const VerifyOptions& options_;
  store::FileSystem& files_;
  std::vector<Sealer> sealers_;
  std::set<std::string> unknown_keys_;
  bool keyed_ = false;  // an entry with a key has been seen
  std::vector<Line> lines_;
  std::multimap<std::uint64_t, std::size_t> by_sequence_;
  std::map<std::uint64_t, std::string> macs_;
  std::set<std::uint64_t> moved_;
  Head at_;
  std::optional<Line> told_;      // the entry that told last where the journal ended
  bool trusted_ = true;           // the seal of the entry at_ fits
  std::uint64_t unreadable_ = 0;  // lines since at_ that are no entries: told already
  Verdict verdict_;
};

}  // namespace

Result<Verdict> verify(const VerifyOptions& options) {
  return Verification(options).run();
}

}  // namespace cannula::audit
