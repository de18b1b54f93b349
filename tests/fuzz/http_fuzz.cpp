// What comes over an HTTP connection: requests in pieces of any size, taken by the hub's own connection over
// a pair of sockets. The pieces must not change the requests, nobody posts without the token, and no request
// can be read in two ways.
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "adapters/transports/http_connection.hpp"

namespace {

using namespace carehub;
namespace http = boost::beast::http;

constexpr std::string_view kToken = "swordfish";  // the seeds have it
constexpr std::string_view kTaken = "taken\n";
constexpr std::size_t kHeaderBytesMax = 512;
constexpr std::size_t kBodyBytesMax = 256;
constexpr int kTurnsMax = 100'000;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Heard {
  std::vector<Bytes> bodies;
  std::vector<std::string> paths;
  std::string answers;
};

void take(Heard& heard, Bytes body, const adapters::Arrival& arrival) {
  require(body.size() <= kBodyBytesMax);
  require(!arrival.headers.contains("authorization"));
  // Two lengths are two readings: what a proxy in between takes for a body is the next request to another.
  require(!arrival.headers.contains("content-length") || !arrival.headers.contains("transfer-encoding"));
  require(arrival.headers.contains("content-length") || arrival.headers.contains("transfer-encoding"));
  heard.bodies.push_back(std::move(body));
}

std::shared_ptr<adapters::HttpService> service_for(Heard& heard, bool reader) {
  auto service = std::make_shared<adapters::HttpService>();
  service->options.channel = "fuzz";
  service->options.path = "/events";
  service->options.tokens = {*adapters::http_token(kToken)};
  service->options.header_bytes_max = kHeaderBytesMax;
  service->options.body_bytes_max = kBodyBytesMax;
  service->receive = [&heard](Bytes body, adapters::Arrival arrival, auto reply) {
    take(heard, std::move(body), arrival);
    const auto said = bytes_of(kTaken);
    reply({.busy = false, .messages = {Bytes(said.begin(), said.end())}, .results = {client::Receipt{}}});
  };
  if (reader) {
    service->look_up = [&heard](const std::string& path, auto done) {
      heard.paths.push_back(path);
      done({.status = 200, .media_type = "text/plain", .cache = "no-cache", .body = std::string(kTaken)});
    };
  }
  return service;
}

/// Whether the hub still has its end open.
bool drain(int peer, std::string& answers) {
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t got = ::recv(peer, part.data(), part.size(), MSG_DONTWAIT);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    answers.append(part.data(), static_cast<std::size_t>(got));
  }
}

Heard exchange(BytesView stream, std::size_t piece, bool reader) {
  Heard heard;
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  boost::asio::io_context io(1);
  adapters::PeerStream::Socket socket(io);
  socket.assign(boost::asio::ip::tcp::v4(), ends[0]);
  std::make_shared<adapters::HttpConnection>(std::move(socket), service_for(heard, reader))->start();
  bool open = true;
  for (int turn = 0; open; ++turn) {
    require(turn < kTurnsMax);
    if (!stream.empty()) {
      const auto some = stream.first(std::min(piece, stream.size()));
      const ssize_t sent = ::send(ends[1], some.data(), some.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      stream = sent < 0 && errno != EAGAIN ? BytesView() : stream.subspan(sent < 0 ? 0 : std::size_t(sent));
    }
    if (stream.empty()) ::shutdown(ends[1], SHUT_WR);
    io.restart();
    io.poll();
    open = drain(ends[1], heard.answers);
  }
  io.restart();
  io.poll();
  ::close(ends[1]);
  return heard;
}

/// The statuses of all answers. Every byte that the hub said is of one, and each body that it took has its
/// own. A request that is broken or not whole may be told so or not, as its pieces come: that one is left
/// out.
std::vector<unsigned> answers_of(const Heard& heard) {
  static const std::set<unsigned> known = {100, 200, 400, 401, 404, 405, 411, 413, 415, 431};
  std::vector<unsigned> statuses;
  boost::beast::flat_buffer left;
  boost::asio::buffer_copy(left.prepare(heard.answers.size()), boost::asio::buffer(heard.answers));
  left.commit(heard.answers.size());
  std::size_t taken = 0;
  while (left.size() > 0) {
    boost::system::error_code error;
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    while (!error && !parser.is_done()) left.consume(parser.put(left.data(), error));
    require(!error && known.contains(parser.get().result_int()));
    statuses.push_back(parser.get().result_int());
    if (parser.get().result() == http::status::ok && parser.get().body() == kTaken) ++taken;
  }
  require(taken == heard.bodies.size() + heard.paths.size());
  if (!statuses.empty() && (statuses.back() == 400 || statuses.back() == 431)) statuses.pop_back();
  return statuses;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  spdlog::set_level(spdlog::level::off);
  return 0;
}

/// The first byte says in how many pieces the rest comes, and whether the listener takes what is posted or
/// lets somebody look things up.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const BytesView stream(data + 1, size - 1);
  const bool reader = data[0] >= 0x80;
  const std::size_t piece = 1 + stream.size() / (1U + data[0] % 16U);
  const Heard whole = exchange(stream, stream.size(), reader);
  const Heard pieces = exchange(stream, piece, reader);
  require(pieces.bodies == whole.bodies && pieces.paths == whole.paths);
  require(answers_of(pieces) == answers_of(whole));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find(kToken) == std::string_view::npos) require(whole.bodies.empty());
  return 0;
}
