#include "broker/storage/master_key.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <thread>

#include "broker/base/secret_file.hpp"
#include "broker/storage/file.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kHexCharacters = 2 * kKeyBytes;
constexpr std::size_t kTextBytesMax = kHexCharacters + 2;  // a line's end of two characters

/// Wipes the text.
Result<SecretKey> parse_key(Bytes text, const std::string& from) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::array<std::uint8_t, kKeyBytes> bytes{};
  std::size_t decoded = 0;
  const std::string_view hex = text_of(text);
  const int parsed =
      sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &decoded, nullptr);
  const bool good = parsed == 0 && decoded == kKeyBytes && text.size() == kHexCharacters;
  sodium_memzero(text.data(), text.size());
  if (!good) {
    return fail(ErrorKind::invalid, from +
                                        ": the master key must be 64 hexadecimal characters. Restore it "
                                        "from where it is kept safe");
  }
  SecretKey key(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

Result<SecretKey> read_file(const fs::path& path) {
  Result<File> file = File::open_to_read(path);
  if (!file) return tl::unexpected(file.error());
  if (is_open_to_others(path)) {
    return fail(ErrorKind::invalid,
                path.string() + ": others may read the master key. Close it: chmod 600 " + path.string());
  }
  Result<Bytes> text = file->read_at(0, kTextBytesMax);
  if (!text) return tl::unexpected(text.error());
  return parse_key(std::move(*text), path.string());
}

Result<SecretKey> read_credential(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || *directory == '\0') {
    return fail(ErrorKind::not_found,
                "credential " + name +
                    ": $CREDENTIALS_DIRECTORY is not set. Start the hub by systemd, with "
                    "LoadCredential= or LoadCredentialEncrypted= in its unit");
  }
  const fs::path path = fs::path(directory) / name;
  std::error_code error;
  if (!fs::exists(path, error)) {
    return fail(ErrorKind::not_found, path.string() +
                                          ": there is no such credential. Name it in the unit's "
                                          "LoadCredential=");
  }
  return read_file(path);
}

/// A program's standard output; its other streams are closed to us, and so is its environment's shell.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words) : words_(words) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (output_ >= 0) ::close(output_);
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
  }

  bool start() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (auto& word : words_) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int spawned =
        ::posix_spawn(&process_, arguments.front(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (spawned != 0) process_ = -1;
    return spawned == 0;
  }

  /// Nothing when it prints more than a key, or for too long.
  std::optional<Bytes> read(std::chrono::steady_clock::time_point until) {
    Bytes text(kTextBytesMax + 1);
    std::size_t have = 0;
    while (have < text.size()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      pollfd wait{output_, POLLIN, 0};
      const int ready = left.count() <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return wiped(text);
      const ssize_t got = ::read(output_, text.data() + have, text.size() - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return wiped(text);
      if (got == 0) {
        text.resize(have);
        return text;
      }
      have += static_cast<std::size_t>(got);
    }
    return wiped(text);
  }

  /// Nothing when it does not end in time.
  std::optional<int> wait(std::chrono::steady_clock::time_point until) {
    while (true) {
      int status = 0;
      const pid_t ended = ::waitpid(process_, &status, WNOHANG);
      if (ended == process_) {
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      if (ended < 0 || std::chrono::steady_clock::now() >= until) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

 private:
  static std::optional<Bytes> wiped(Bytes& text) {
    sodium_memzero(text.data(), text.size());
    return std::nullopt;
  }

  std::vector<std::string> words_;
  int output_ = -1;
  pid_t process_ = -1;
};

Result<SecretKey> read_command(const MasterKeySource& source) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kMasterKeyCommandMs);
  Program program(source.command);
  if (!program.start()) {
    return fail(
        ErrorKind::unavailable,
        source.name() + " cannot be started. Give an absolute path to a program that may be executed");
  }
  auto text = program.read(until);
  const auto ended = text ? program.wait(until) : std::nullopt;
  if (ended == 0) return parse_key(std::move(*text), source.name());
  if (text) sodium_memzero(text->data(), text->size());
  if (ended) {
    return fail(ErrorKind::unavailable, source.name() + " ended with status " + std::to_string(*ended) +
                                            ". Run it by hand as the hub's user");
  }
  return fail(ErrorKind::unavailable,
              source.name() + " did not end within " + std::to_string(kMasterKeyCommandMs / 1000) +
                  " seconds, or printed more than a key. It must print 64 hexadecimal characters and end");
}

}  // namespace

MasterKeySource MasterKeySource::from_credential(std::string name) {
  MasterKeySource source;
  source.kind = Kind::credential;
  source.credential = std::move(name);
  return source;
}

MasterKeySource MasterKeySource::from_command(std::vector<std::string> words) {
  MasterKeySource source;
  source.kind = Kind::command;
  source.command = std::move(words);
  return source;
}

MasterKeySource MasterKeySource::beside(const fs::path& vault_file) const {
  MasterKeySource source = *this;
  if (kind == Kind::file && file.empty()) source.file = vault_file.parent_path() / "master.key";
  return source;
}

std::string MasterKeySource::name() const {
  switch (kind) {
    case Kind::file: return file.string();
    case Kind::credential: return "credential " + credential;
    case Kind::command: return "the command " + (command.empty() ? "" : command.front());
  }
  return "";
}

Result<SecretKey> read_master_key(const MasterKeySource& source) {
  switch (source.kind) {
    case MasterKeySource::Kind::file: return read_file(source.file);
    case MasterKeySource::Kind::credential: return read_credential(source.credential);
    case MasterKeySource::Kind::command: return read_command(source);
  }
  return fail(ErrorKind::invalid, "a master key without a source");
}

Result<void> write_master_key(const fs::path& path, const SecretKey& key) {
  std::string hex = to_hex(key.bytes()) + "\n";
  Result<void> written = write_whole(path, bytes_of(hex));
  sodium_memzero(hex.data(), hex.size());
  return written;
}

SecretKey draw_key(Random& random) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  random.fill(bytes);
  SecretKey key(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

}  // namespace carehub::storage
