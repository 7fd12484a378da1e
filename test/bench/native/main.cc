// The program that subflowd is compared with. It does only the necessary work, so its time is a lower bound, the
// "floor". Standard input has one command in each line, from test/bench/floor.ts, and each gets one line as its answer.
// A time is in nanoseconds of the monotonic clock, for all repetitions together.
#include <sys/wait.h>
#include <spawn.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>

#include "switches.h"
#include "walk.h"

extern char** environ;

namespace {

struct Floor {
  std::string path;
  std::uint64_t end = 0;
  std::unique_ptr<bench::MappedMemory> mapped;
  std::unique_ptr<bench::ByteMemory> bytes;
  std::unique_ptr<subflowd::PhysicalMemory> guarded;
  std::unique_ptr<bench::SwitchRuns> switches;
  bench::Locations locations;
};

std::uint64_t timed(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count());
}

void run_process(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  ::posix_spawn_file_actions_addopen(&quiet, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid;
  int status;
  if (::posix_spawnp(&pid, argv[0], &quiet, nullptr, argv.data(), environ) != 0 || ::waitpid(pid, &status, 0) != pid ||
      !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(words.front() + " failed");
  }
  ::posix_spawn_file_actions_destroy(&quiet);
}

std::string answer(Floor& floor, std::istringstream& line) {
  std::string verb;
  line >> verb;
  if (verb == "open") {
    std::string access;
    line >> floor.path >> access >> floor.end;
    const auto requested =
        access == "mapped" ? subflowd::RequestedAccess::kMapped : subflowd::RequestedAccess::kBytes;
    if (access == "mapped") floor.mapped = std::make_unique<bench::MappedMemory>(floor.path, floor.end);
    floor.bytes = std::make_unique<bench::ByteMemory>(floor.path);
    floor.guarded = std::make_unique<subflowd::PhysicalMemory>(
        floor.path, std::vector<subflowd::Range>{{0x1000, floor.end}}, requested, true);
    return "ok";
  }
  if (verb == "set") {
    std::string name;
    std::uint64_t value;
    line >> name >> value;
    floor.locations[name] = value;
    return "ok";
  }
  if (verb == "sessions") {
    std::string file;
    line >> file;
    floor.switches = std::make_unique<bench::SwitchRuns>(bench::read_sessions(file));
    return "ok";
  }
  if (verb == "reads") return std::to_string(floor.bytes->reads());
  std::uint64_t count;
  line >> count;
  if (verb == "switch") {
    return std::to_string(timed([&] {
      if (floor.mapped) floor.switches->mapped(*floor.mapped, count);
      else floor.switches->bytes(*floor.bytes, count);
    }));
  }
  if (verb == "guarded") return std::to_string(timed([&] { floor.switches->guarded(*floor.guarded, count); }));
  if (verb == "walk") {
    const bench::Walker walker(floor.locations);
    std::vector<bench::Subflow> found;
    std::string access;
    line >> access;
    const std::uint64_t task = floor.locations.at("task");
    const std::uint64_t time = timed([&] {
      for (std::uint64_t done = 0; done < count; ++done) {
        if (access == "mapped") walker.walk(*floor.mapped, task, found);
        else walker.walk(*floor.bytes, task, found);
      }
    });
    return std::to_string(time) + " " + std::to_string(found.size());
  }
  if (verb == "paper") {
    const bench::Walker walker(floor.locations);
    const auto pid = static_cast<std::uint32_t>(floor.locations.at("pid"));
    const auto port = static_cast<std::uint16_t>(floor.locations.at("port"));
    const std::uint64_t bit = floor.locations.at("mptcp_subflow_context.request_bkup:");
    return std::to_string(timed([&] {
      for (std::uint64_t done = 0; done < count; ++done) {
        const std::uint64_t address = walker.find_last_subflow(*floor.bytes, pid, port) + bit / 8;
        const auto byte = bench::load<std::uint8_t>(floor.bytes->view(address, 1));
        floor.bytes->write_byte(address, static_cast<std::uint8_t>(byte ^ 1 << bit % 8));
      }
    }));
  }
  if (verb == "spawn") {
    std::vector<std::string> words;
    for (std::string word; line >> word;) words.push_back(word);
    return std::to_string(timed([&] {
      for (std::uint64_t done = 0; done < count; ++done) run_process(words);
    }));
  }
  throw std::runtime_error("no such command: " + verb);
}

}  // namespace

int main() {
  Floor floor;
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    try {
      std::cout << answer(floor, line) << std::endl;
    } catch (const std::exception& error) {
      std::cout << "error " << error.what() << std::endl;
    }
  }
}
