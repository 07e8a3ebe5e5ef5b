#include "channels/file/sender.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channels/file/background.h"
#include "channels/file/descriptor.h"
#include "channels/file/filename_template.h"

namespace cannula::file {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

Error write_error(const fs::path& path, std::string_view doing) {
  return {"F202",
          path.string() + " cannot be " + std::string(doing) + ": " +
              std::generic_category().message(errno),
          "", std::nullopt};
}

Result<void> write_and_sync(const fs::path& path, std::string_view content) {
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file.is_open()) return write_error(path, "created");
  while (!content.empty()) {
    const ssize_t count = ::write(file.number(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return write_error(path, "written");
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(file.number()) != 0) return write_error(path, "written to disk");
  return {};
}

Result<void> sync_folder(const fs::path& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.number()) != 0) return write_error(path, "synchronised");
  return {};
}

// Makes the folders of `path` below `directory` that are missing, and puts them on disk.
Result<void> make_folders(const fs::path& directory, const fs::path& path) {
  fs::path parent = directory;
  for (const fs::path& part : path) {
    const fs::path folder = parent / part;
    if (::mkdir(folder.c_str(), 0750) == 0) {
      TRY(sync_folder(parent));
    } else if (errno != EEXIST) {
      return write_error(folder, "made");
    }
    parent = folder;
  }
  return {};
}

struct Settings {
  fs::path directory;
  FilenameTemplate name;
};

class FileSender final : public Sender {
 public:
  FileSender(Settings settings, Ports ports)
      : settings_(std::move(settings)), ports_(std::move(ports)), background_(ports_.executor) {}

  asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    Answer answer;
    if (stopping_) {
      answer.reason = {"F204", "the destination was stopped during the delivery", "", std::nullopt};
      co_return answer;
    }
    auto name = settings_.name.name_of(parcel);
    if (!name) {
      answer.kind = Answer::Kind::refused;
      answer.reason = name.error();
      co_return answer;
    }
    auto written = co_await write(*name, parcel.payload);
    if (written) {
      answer.kind = Answer::Kind::delivered;
      ports_.report.count("bytes_sent_total", static_cast<std::int64_t>(parcel.payload->size()));
    } else {
      answer.reason = written.error();
    }
    co_return answer;
  }

  // Files of one folder are written one after the other, by one thread.
  std::size_t concurrency() const override { return 1; }

  asio::awaitable<void> stop() override {
    stopping_ = true;
    // A file that is being written is finished: behind it in the queue stands this.
    co_await background_.run(do_nothing);
  }

 private:
  static bool do_nothing() { return true; }

  asio::awaitable<Result<void>> write(const std::string& name, const Bytes& payload) {
    return background_.run([directory = settings_.directory, name, payload] {
      return write_file(directory, name, *payload);
    });
  }

  Settings settings_;
  Ports ports_;
  bool stopping_ = false;
  Background background_;
};

}  // namespace

Result<void> write_file(const fs::path& directory, const std::string& name,
                        std::string_view content) {
  const fs::path path = directory / name;
  const fs::path temporary = path.parent_path() / ("." + path.filename().string() + ".tmp");
  TRY(make_folders(directory, fs::path(name).parent_path()));
  if (auto written = write_and_sync(temporary, content); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const Error failure = write_error(path, "named");
    ::unlink(temporary.c_str());
    return failure;
  }
  return sync_folder(path.parent_path());
}

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
  Settings settings{ports.site / values.text("directory"), std::move(name)};
  return std::make_unique<FileSender>(std::move(settings), std::move(ports));
}

}  // namespace cannula::file
