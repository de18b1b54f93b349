#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <thread>

#include "broker/client/hub_client.hpp"
#include "tests/bench/admissions.hpp"
#include "tests/fakes/free_port.hpp"
#include "tests/fakes/tcp_peer.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kEnd = "\x1c\r";

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench: %s\n", what);
  std::exit(1);
}

constexpr const char* kAgencies = R"(
[[agency]]
id = "elwick-hospital"
name = "Elwick General Hospital"
kind = "hospital"
codes = ["RZX01"]
may_publish = ["admission"]
[[agency]]
id = "northmarch-council"
name = "Northmarch County Council"
kind = "council"
codes = ["E10000099"]
roles = ["social-care-duty"]
[[agency]]
id = "holm-school"
name = "Holm Lane School"
kind = "school"
codes = ["900101"]
roles = ["school-pastoral"]
[[agency]]
id = "march-commissioner"
name = "March Provider Collaborative"
kind = "commissioner"
codes = ["QZZ"]
roles = ["tier4-case-manager"]
)";

/// `carehub run` with one hospital's channel, on a disk of its own.
class Hub {
 public:
  explicit Hub(const std::string& program) : port_(fakes::free_port()) {
    const std::filesystem::path source = CAREHUB_SOURCE_DIR;
    const auto config = directory_.path() / "hub.toml";
    std::ofstream(config)
        << "[hub]\nname = \"Bench\"\ndata = \"data\"\npolicy = \""
        << (source / "deploy/sample/policy.toml").string() << "\"\npacks = \""
        << (source / "adapters").string() << "\"\n[broker]\nlisten = [\"ipc://hub.sock\"]\n"
        << kAgencies
        << "[[channel]]\nname = \"elwick-adt\"\nagency = \"elwick-hospital\"\ndirection = \"in\"\n"
           "pack = \"hospital/hl7v2.toml\"\nscope = { age_max = 18 }\noverrides = \""
        << (source / "deploy/sample/elwick.toml").string()
        << "\"\ntransport = { kind = \"mllp\", address = \"127.0.0.1\", port = " << port_ << " }\n";
    log_ = directory_.path() / "log";
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    std::string name = program, run = "run", file = config.string();
    std::array<char*, 4> arguments{name.data(), run.data(), file.data(), nullptr};
    require(::posix_spawn(&process_, program.c_str(), &files, nullptr, arguments.data(), environ) == 0,
            "the carehub program starts");
    posix_spawn_file_actions_destroy(&files);
    require(fakes::eventually([this] { return says_ready(); }, 30'000), "the hub is ready");
  }
  ~Hub() {
    ::kill(process_, SIGTERM);
    int status = 0;
    ::waitpid(process_, &status, 0);
    if (status != 0) std::fprintf(stderr, "bench: the hub ended with %d\n", status);
  }
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  std::uint16_t port() const { return port_; }
  std::string endpoint() const { return "ipc://" + (directory_.path() / "data/hub.sock").string(); }
  /// User and system time that the hub's process has used.
  double processor_seconds() const {
    std::ifstream in("/proc/" + std::to_string(process_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int each = 0; each < 11; ++each) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

 private:
  bool says_ready() const {
    std::ifstream in(log_);
    for (std::string line; std::getline(in, line);)
      if (line == "ready") return true;
    require(::waitpid(process_, nullptr, WNOHANG) == 0, "the hub does not end at once");
    return false;
  }

  fakes::TemporaryDirectory directory_;
  std::filesystem::path log_;
  std::uint16_t port_;
  pid_t process_ = 0;
};

/// Three agencies' subscriptions, over the hub's local socket, that ack every delivery.
class Subscribers {
 public:
  explicit Subscribers(const Hub& hub) {
    static constexpr std::array<std::array<const char*, 3>, 3> kWanted{
        {{"northmarch-council", "duty-desk", "social-care-duty"},
         {"holm-school", "notices", "school-pastoral"},
         {"march-commissioner", "tier4", "tier4-case-manager"}}};
    for (const auto& [agency, name, role] : kWanted) {
      client::ClientOptions options;
      options.endpoint = hub.endpoint();
      options.client = name;
      options.agency = agency;
      auto opened = client::HubClient::open(std::move(options));
      require(opened.has_value(), "a subscriber connects");
      client::SubscribeOptions wanted;
      wanted.name = name;
      wanted.role = role;
      wanted.credit = limits::kCreditMax;
      client::HubClient* subscriber = opened->get();
      const auto take = [this, subscriber, own = wanted.name](const std::vector<wire::DeliveryT>& batch) {
        std::vector<client::Answer> answers;
        answers.reserve(batch.size());
        for (const auto& each : batch) answers.push_back({each.sequence, {}, {}, 0});
        subscriber->answer(own, std::move(answers));
        count_ += batch.size();
      };
      const auto refused = [](const Error& error) {
        std::fprintf(stderr, "bench: refused: %s\n", error.text.c_str());
      };
      require(subscriber->subscribe(wanted, take, refused).has_value(), "a subscription is made");
      clients_.push_back(std::move(*opened));
    }
    for (const auto& each : clients_)
      require(fakes::eventually([&each] { return each->connected(); }), "a subscriber is welcomed");
  }
  ~Subscribers() {
    for (const auto& each : clients_) each->close();
  }
  Subscribers(const Subscribers&) = delete;
  Subscribers& operator=(const Subscribers&) = delete;

  std::size_t count() const { return count_; }

 private:
  std::atomic<std::size_t> count_ = 0;
  std::vector<std::unique_ptr<client::HubClient>> clients_;
};

struct Tally {
  std::vector<std::int64_t> latency_us;
  std::size_t accepted = 0, other = 0;

  std::int64_t quantile(double share) {
    if (latency_us.empty()) return 0;
    std::sort(latency_us.begin(), latency_us.end());
    return latency_us[std::min(latency_us.size() - 1,
                               static_cast<std::size_t>(share * static_cast<double>(latency_us.size())))];
  }
};

/// One connection with so many messages in flight.
class Sender {
 public:
  Sender(std::uint16_t port, std::vector<std::string> messages)
      : messages_(std::move(messages)), left_(messages_.size()), fd_(connected(port)) {}
  ~Sender() { ::close(fd_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  int socket() const { return fd_; }
  bool done() const { return answered_ == messages_.size(); }
  /// Sends as many as the window has room for, in one write.
  void fill(std::size_t window) {
    std::string out;
    const auto now = Clock::now();
    for (; sent_ < messages_.size() && sent_ - answered_ < window; ++sent_) {
      out.push_back('\x0b');
      out += messages_[sent_];
      out += kEnd;
      left_[sent_] = now;
    }
    for (std::string_view rest = out; !rest.empty();) {
      const auto size = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      require(size > 0, "the channel takes what is sent");
      rest.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void receive(Tally& tally) {
    std::array<char, 65536> buffer;
    const auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    require(size > 0, "the channel keeps the connection");
    in_.append(buffer.data(), static_cast<std::size_t>(size));
    const auto now = Clock::now();
    std::size_t at = 0;
    for (auto end = in_.find(kEnd); end != std::string::npos; end = in_.find(kEnd, at)) {
      const std::string_view answer = std::string_view(in_).substr(at, end - at);
      ++(answer.find("MSA|CA|") != std::string_view::npos || answer.find("MSA|AA|") != std::string_view::npos
             ? tally.accepted
             : tally.other);
      tally.latency_us.push_back(
          std::chrono::duration_cast<std::chrono::microseconds>(now - left_[answered_++]).count());
      at = end + kEnd.size();
    }
    in_.erase(0, at);
  }

 private:
  static int connected(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "MLLP connects");
    return fd;
  }

  std::vector<std::string> messages_;
  std::vector<Clock::time_point> left_;
  int fd_;
  std::string in_;
  std::size_t sent_ = 0, answered_ = 0;
};

void run(const Hub& hub, const Subscribers& subscribers, unsigned& next, unsigned connections,
         unsigned window, unsigned count) {
  std::vector<std::unique_ptr<Sender>> senders;
  const unsigned share = count / connections;
  for (unsigned each = 0; each < connections; ++each, next += share)
    senders.push_back(std::make_unique<Sender>(hub.port(), bench::admissions(next, share)));
  Tally tally;
  const std::size_t delivered_before = subscribers.count();
  const double cpu_before = hub.processor_seconds();
  const auto begun = Clock::now();
  for (const auto& each : senders) each->fill(window);
  std::vector<pollfd> waits;
  while (tally.accepted + tally.other < std::size_t{share} * connections) {
    waits.clear();
    for (const auto& each : senders)
      waits.push_back({each->socket(), each->done() ? short{0} : short{POLLIN}, 0});
    require(::poll(waits.data(), waits.size(), 30'000) > 0, "the hub answers within half a minute");
    for (std::size_t at = 0; at < senders.size(); ++at) {
      if ((waits[at].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      senders[at]->receive(tally);
      senders[at]->fill(window);
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  const double cpu_us =
      (hub.processor_seconds() - cpu_before) * 1e6 / static_cast<double>(share * connections);
  // Deliveries lag behind; the next round is to have the hub for itself.
  for (std::size_t seen = subscribers.count();;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::size_t now = subscribers.count();
    if (now == seen) break;
    seen = now;
  }
  std::printf(
      "mllp  %u connections W=%-3u %7u messages  %8.0f answers/s; p50 %lld us p99 %lld us; %.1f us of the "
      "hub's "
      "processor a message; %zu accepted, %zu not; %zu deliveries\n",
      connections, window, share * connections, share * connections / seconds,
      static_cast<long long>(tally.quantile(0.5)), static_cast<long long>(tally.quantile(0.99)), cpu_us,
      tally.accepted, tally.other, subscribers.count() - delivered_before);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "carehub_mllp_bench PATH_OF_CAREHUB [messages]\n");
    return 2;
  }
  const unsigned count = argc > 2 ? static_cast<unsigned>(std::max(1'000, std::atoi(argv[2]))) : 80'000;
  const Hub hub(argv[1]);
  const Subscribers subscribers(hub);
  unsigned next = 0;
  run(hub, subscribers, next, 1, 1, count / 16);
  run(hub, subscribers, next, 8, 1, count / 4);
  run(hub, subscribers, next, 8, 32, count);
  return 0;
}
