#include "channels/transport/port_holder.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <unistd.h>

#include "parsers/text/terminal_text.h"

namespace cannula {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListens = "0A";  // TCP_LISTEN, as /proc/net/tcp writes it

// As the targets of descriptors name them: "socket:[4711]".
void add_sockets(const char* table, std::uint16_t port, std::set<std::string>& sockets) {
  std::ifstream lines(table);
  std::string line;
  std::getline(lines, line);  // the headings
  while (std::getline(lines, line)) {
    // sl, local_address, rem_address, st, queues, tr, retrnsmt, uid, timeout, inode
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    const std::size_t colon = local.rfind(':');
    if (!words || state != kListens || colon == std::string::npos) continue;
    std::uint16_t found = 0;
    const char* const end = local.data() + local.size();
    if (std::from_chars(local.data() + colon + 1, end, found, 16).ptr == end && found == port)
      sockets.insert("socket:[" + inode + "]");
  }
}

bool holds_one(const fs::path& descriptors, const std::set<std::string>& sockets) {
  std::error_code unreadable;
  for (fs::directory_iterator one(descriptors, unreadable), last; !unreadable && one != last;
       one.increment(unreadable)) {
    std::error_code gone;
    if (sockets.contains(fs::read_symlink(one->path(), gone).string())) return true;
  }
  return false;
}

}  // namespace

std::string holder_of_port(std::uint16_t port) {
  std::set<std::string> sockets;
  add_sockets("/proc/net/tcp", port, sockets);
  add_sockets("/proc/net/tcp6", port, sockets);
  if (sockets.empty()) return {};
  std::error_code failed;
  for (fs::directory_iterator process("/proc", failed), last; !failed && process != last;
       process.increment(failed)) {
    const std::string name = process->path().filename().string();
    const bool is_one =
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_one || !holds_one(process->path() / "fd", sockets)) continue;
    if (name == std::to_string(::getpid())) return "this process";
    std::string command;
    std::ifstream comm(process->path() / "comm");
    std::getline(comm, command);
    return "process " + name + " (" + visible(command) + ")";
  }
  return {};
}

}  // namespace cannula
