#include "channels/file/sender.h"

#include <chrono>
#include <filesystem>
#include <utility>

#include "channels/file/background.h"
#include "channels/file/file_writer.h"
#include "channels/file/filename_template.h"

namespace cannula::file {

namespace asio = boost::asio;

namespace {

// A share that hangs for longer must not keep the engine from stopping.
constexpr std::chrono::milliseconds kGrace{5000};

Error stopped_error() {
  return {"F204", "the destination was stopped during the delivery", "", std::nullopt};
}

class FileSender final : public Sender {
 public:
  FileSender(std::filesystem::path directory, FilenameTemplate name, Ports ports)
      : name_(std::move(name)),
        ports_(std::move(ports)),
        writer_(std::make_shared<FileWriter>(std::move(directory))),
        background_(ports_.executor) {}

  asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    Answer answer;
    if (stopping_) {
      answer.reason = stopped_error();
      co_return answer;
    }
    auto name = name_.name_of(parcel);
    if (!name) {
      answer.kind = Answer::Kind::refused;
      answer.reason = name.error();
      co_return answer;
    }
    Result<void> written;
    try {
      written = co_await write(*name, parcel);
    } catch (const Background::Abandoned&) {
      written = stopped_error();
    }
    if (written) {
      answer.kind = Answer::Kind::delivered;
      ports_.report.count("bytes_sent_total", static_cast<std::int64_t>(parcel.payload->size()));
    } else {
      answer.reason = written.error();
    }
    co_return answer;
  }

  std::size_t concurrency() const override { return FileWriter::kAtOnce; }

  asio::awaitable<void> stop() override {
    stopping_ = true;
    const bool finished = co_await background_.finish(kGrace);
    if (!finished) writer_->abandon();
  }

 private:
  asio::awaitable<Result<void>> write(const std::string& name, const Parcel& parcel) {
    auto request = std::make_shared<FileWriter::Request>(
        FileWriter::Request{.name = name, .key = parcel.key, .content = parcel.payload});
    writer_->add(request);
    return background_.run([writer = writer_, request] { return writer->write(*request); });
  }

  FilenameTemplate name_;
  Ports ports_;
  bool stopping_ = false;
  std::shared_ptr<FileWriter> writer_;
  Background background_;
};

}  // namespace

std::span<const Option> sender_options() {
  static const Option kOptions[] = {
      {.name = "directory",
       .type = OptionType::file,
       .description = "The folder that files are written to.",
       .required = true},
      {.name = "filename",
       .type = OptionType::text,
       .description =
           "The name of each file, with the placeholders {key} (of the delivery), {id} (of "
           "the message), {channel}, {event} and {date}; a / makes folders. A file of that name is "
           "replaced. With {key} each delivery has its file, also those of a message that is "
           "worked again. Without, a message that is worked again replaces what it wrote before; "
           "the second delivery to the destination that one run of main() asks for gets -2 before "
           "the last dot, and so on, and what on_response sends gets -r and the delivery's "
           "number.",
       .default_value = "{key}.hl7"},
  };
  return kOptions;
}

Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports) {
  FilenameTemplate name = TRY(FilenameTemplate::parse(values.text("filename")));
  std::filesystem::path directory = ports.site / values.text("directory");
  return std::make_unique<FileSender>(std::move(directory), std::move(name), std::move(ports));
}

}  // namespace cannula::file
