#include "adapters/channel/inbound_channel.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <catch2/catch.hpp>
#include <sstream>
#include <thread>

#include "adapters/transports/http_listener.hpp"
#include "tests/fakes/answering_client.hpp"
#include "tests/fakes/recording_client.hpp"
#include "tests/fakes/tcp_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::RecordingClient;
using Reply = std::function<void(TransportReply)>;

/// Hands over what the test says, as a transport would.
class HandTransport final : public InboundTransport {
 public:
  Result<void> start(Receive receive) override {
    receive_ = std::move(receive);
    return {};
  }
  void stop() override {}
  void hand_over(const std::string& text, Reply reply) const {
    receive_(Bytes(text.begin(), text.end()), Arrival{}, std::move(reply));
  }

 private:
  Receive receive_;
};

/// A format in which every line is a publication, a line that begins with `?` a problem, with `!` one that is
/// ignored, with `~` one that lacks a value that could not be read.
class LineMessage final : public InboundMessage {
 public:
  explicit LineMessage(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      client::Publication publication;
      publication.channel = "elwick-adt";
      publication.event.assign(line.begin(), line.end());
      if (line.starts_with("?")) {
        wire::ProblemT problem;
        problem.code = "missing_field";
        publication.problem = problem;
      }
      if (line.starts_with("!")) {
        ++ignored_;
      } else {
        publications_.push_back(std::move(publication));
      }
      if (line.starts_with("~")) left_out_.push_back("ZXX-5.1");
    }
  }
  std::size_t ignored() const override { return ignored_; }
  std::vector<std::string> left_out() const override { return left_out_; }
  std::vector<client::Publication> take_publications() override { return std::move(publications_); }
  std::vector<Bytes> answer(const std::vector<client::PublishResult>& results) override {
    const std::string text = std::to_string(results.size()) + " results";
    return {Bytes(text.begin(), text.end())};
  }

 private:
  std::vector<client::Publication> publications_;
  std::vector<std::string> left_out_;
  std::size_t ignored_ = 0;
};

class LineInterpreter final : public Interpreter {
 public:
  std::unique_ptr<InboundMessage> interpret(Bytes message, const Arrival&) const override {
    return std::make_unique<LineMessage>(std::string(text_of(message)));
  }
};

struct Pipe {
  explicit Pipe(Unmappable unmappable = Unmappable::refuse)
      : channel("elwick-adt", unmappable, take_transport(), std::make_unique<LineInterpreter>(), hub, io) {
    REQUIRE(channel.start());
  }
  std::unique_ptr<InboundTransport> take_transport() {
    auto owned = std::make_unique<HandTransport>();
    transport = owned.get();
    return owned;
  }
  void hand_over(const std::string& text) {
    transport->hand_over(text, [this](TransportReply reply) {
      const std::lock_guard lock(mutex);
      replies.push_back(std::move(reply));
    });
  }
  std::size_t replied() {
    const std::lock_guard lock(mutex);
    return replies.size();
  }
  bool wait_for(std::function<bool()> holds) {
    for (int i = 0; i < 60'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return holds();
  }

  HandTransport* transport = nullptr;
  RecordingClient hub;
  IoThread io;
  std::mutex mutex;
  std::vector<TransportReply> replies;
  InboundChannel channel;
};

/// What is logged while it lives.
struct Logged {
  Logged() : before(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out)));
  }
  ~Logged() { spdlog::set_default_logger(before); }
  std::ostringstream out;
  std::shared_ptr<spdlog::logger> before;
};

client::Refused refused() {
  client::Refused result;
  result.code = "missing_field";
  result.place = "PID-3";
  result.text = "the message has no identifier";
  result.sequence = 9;
  return result;
}

TEST_CASE("nothing is answered before the hub has said what became of it") {
  Pipe pipe;
  pipe.hand_over("one");
  REQUIRE(pipe.hub.published().size() == 1);
  CHECK(pipe.replied() == 0);
  pipe.hub.complete(0, client::Receipt{});
  REQUIRE(pipe.replied() == 1);
  CHECK_FALSE(pipe.replies[0].busy);
  CHECK(text_of(pipe.replies[0].messages.at(0)) == "1 results");
}

TEST_CASE("a message of several publications is answered once, after the last, with the results in order") {
  Pipe pipe;
  pipe.hand_over("one\ntwo\nthree");
  REQUIRE(pipe.hub.published().size() == 3);
  pipe.hub.complete(2, client::NotKept{});
  pipe.hub.complete(0, refused());
  CHECK(pipe.replied() == 0);
  pipe.hub.complete(1, client::Receipt{});
  REQUIRE(pipe.replied() == 1);
  const auto& results = pipe.replies[0].results;
  CHECK(std::holds_alternative<client::Refused>(results.at(0)));
  CHECK(std::holds_alternative<client::Receipt>(results.at(1)));
  CHECK(std::holds_alternative<client::NotKept>(results.at(2)));
}

TEST_CASE("a full queue of ours is busy to the transport at once, and nothing is published") {
  Pipe pipe;
  pipe.hub.refuse_to_queue({ErrorKind::overloaded, "full"}, 1);
  pipe.hand_over("one\ntwo");
  REQUIRE(pipe.replied() == 1);
  CHECK(pipe.replies[0].busy);
  CHECK(pipe.hub.published().empty());
}

TEST_CASE("a hub that is lost while a message waits is busy, never an answer") {
  Pipe pipe;
  pipe.hand_over("one\ntwo");
  pipe.hub.complete(0, client::Receipt{});
  pipe.hub.complete(1, Error{ErrorKind::unavailable, "closed while waiting"});
  REQUIRE(pipe.replied() == 1);
  CHECK(pipe.replies[0].busy);
  CHECK(pipe.replies[0].messages.empty());
}

TEST_CASE("a file of many rows passes through a queue that is smaller than it") {
  Pipe pipe;
  pipe.hub.queue_max(3);
  std::string rows;
  for (int i = 0; i < 20; ++i) rows += "row " + std::to_string(i) + "\n";
  pipe.hand_over(rows);
  for (std::size_t i = 0; i < 20; ++i) {
    REQUIRE(pipe.wait_for([&] { return pipe.hub.published().size() > i; }));
    pipe.hub.complete(i, client::Receipt{});
  }
  REQUIRE(pipe.wait_for([&] { return pipe.replied() == 1; }));
  CHECK(pipe.replies[0].results.size() == 20);
  const auto published = pipe.hub.published();
  for (std::size_t i = 0; i < 20; ++i) CHECK(text_of(published[i].event) == "row " + std::to_string(i));
}

TEST_CASE("what the client can never send is kept as a problem instead of stopping the feed") {
  Pipe pipe;
  pipe.hub.refuse_to_queue({ErrorKind::invalid, "the event is over the limit"}, 1);
  pipe.hub.answer_at_once({refused()});
  pipe.hand_over("too large");
  REQUIRE(pipe.replied() == 1);
  CHECK_FALSE(pipe.replies[0].busy);
  REQUIRE(pipe.hub.published().size() == 1);
  CHECK(pipe.hub.published()[0].problem->code == "unsendable");
}

TEST_CASE("what became of each publication is counted") {
  Pipe pipe;
  client::Receipt again;
  again.duplicate = true;
  pipe.hub.answer_at_once({client::Receipt{}, again, client::NotKept{}, refused(), refused()});
  pipe.hand_over("a\nb\nc\nd\n?e");
  REQUIRE(pipe.wait_for([&] { return pipe.replied() == 1; }));  // rows leave from the IoThread too
  const InboundCounts counts = pipe.channel.counts();
  CHECK(counts.received == 1);
  CHECK(counts.accepted == 1);
  CHECK(counts.duplicates == 1);
  CHECK(counts.not_kept == 1);
  CHECK(counts.refused == 2);
  CHECK(counts.problems == 1);
}

TEST_CASE("a refusal is one log line with channel, code and place, and none of the content") {
  Logged log;
  Pipe pipe;
  pipe.hub.answer_at_once({refused()});
  pipe.hand_over("secret name");
  const std::string text = log.out.str();
  CHECK(text.find("channel=elwick-adt") != std::string::npos);
  CHECK(text.find("code=missing_field") != std::string::npos);
  CHECK(text.find("PID-3") != std::string::npos);
  CHECK(text.find("secret") == std::string::npos);
  CHECK(text.find("alarm") == std::string::npos);
}

TEST_CASE("a place that a partner wrote cannot begin a log line of its own") {
  Logged log;
  Pipe pipe;
  client::Refused forged = refused();
  forged.place = "$.a\n[error] alarm=true\r\" sequence=1";
  pipe.hub.answer_at_once({forged});
  pipe.hand_over("one");
  const std::string text = log.out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find("place=\"$.a?[error] alarm=true?? sequence=1\"") != std::string::npos);
}

TEST_CASE("what the pack makes nothing of is answered and counted, and no error to the transport") {
  Pipe pipe;
  pipe.hand_over("!update");
  REQUIRE(pipe.replied() == 1);
  CHECK(pipe.hub.published().empty());
  CHECK_FALSE(pipe.replies[0].busy);
  REQUIRE(pipe.replies[0].results.size() == 1);
  CHECK(std::holds_alternative<client::NotKept>(pipe.replies[0].results[0]));
  CHECK(pipe.channel.counts().ignored == 1);
}

TEST_CASE("a value that is left out raises an alarm with its place, more and more rarely") {
  Logged log;
  Pipe pipe;
  pipe.hub.answer_at_once(std::vector<client::PublishResult>(100, client::Receipt{}));
  for (int i = 0; i < 100; ++i) pipe.hand_over("~row");
  const std::string text = log.out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 7);  // 1, 2, 4, 8, 16, 32, 64
  CHECK(text.find("code=CH-LEFT-OUT alarm=true place=\"ZXX-5.1\" times=64") != std::string::npos);
  CHECK(pipe.channel.counts().left_out == 100);
}

TEST_CASE("what is kept unmapped raises an alarm") {
  Logged log;
  Pipe pipe(Unmappable::keep);
  pipe.hub.answer_at_once({refused()});
  pipe.hand_over("?unmappable");
  CHECK(log.out.str().find("code=CH-UNMAPPABLE alarm=true") != std::string::npos);
}

TEST_CASE("a million bad rows do not become a million log lines") {
  Logged log;
  Pipe pipe;
  std::vector<client::PublishResult> results(100, refused());
  pipe.hub.answer_at_once(results);
  std::string rows;
  for (int i = 0; i < 100; ++i) rows += "row\n";
  pipe.hand_over(rows);
  REQUIRE(pipe.wait_for([&] { return pipe.replied() == 1; }));  // rows leave from the IoThread too
  const std::string text = log.out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 21);
  CHECK(text.find("and 80 more refusals") != std::string::npos);
}

TEST_CASE("a channel that has stopped takes nothing more") {
  Pipe pipe;
  pipe.channel.stop();
  pipe.hand_over("one");
  REQUIRE(pipe.replied() == 1);
  CHECK(pipe.replies[0].busy);
  CHECK(pipe.hub.published().empty());
}

TEST_CASE("whom a channel's listener turns away is told to the hub by cause, a while later") {
  fakes::AnsweringClient hub;
  IoThread io;
  HttpListenerOptions options;
  options.channel = "council-api";
  options.path = "/events";
  options.tokens = {*http_token("correct-horse"), *http_token("an-old-horse", "2020-01-31")};
  auto owned = std::make_unique<HttpListener>(io, options);
  const HttpListener& listener = *owned;
  InboundChannel channel("council-api", Unmappable::refuse, std::move(owned),
                         std::make_unique<LineInterpreter>(), hub, io, 10);
  REQUIRE(channel.start());
  const auto knock = [&](const std::string& token) {
    auto peer = fakes::TcpPeer::connect(listener.port());
    peer.send("POST /events HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer " + token +
              "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    CHECK(peer.receive_until("\r\n\r\n").starts_with("HTTP/1.1 401"));
  };
  for (const char* token : {"another's", "guessed", "an-old-horse"}) knock(token);
  std::map<wire::TurnedAway, std::uint64_t> told;
  const auto all = [&] { return told[wire::TurnedAway::unknown_token] + told[wire::TurnedAway::token_over]; };
  while (all() < 3) {
    REQUIRE(fakes::eventually([&] { return hub.waiting() > 0; }));
    const auto asked = hub.asked<wire::TellDoorT>();
    CHECK(asked.door == "council-api");
    for (const auto& said : asked.events) {
      CHECK(said->event == wire::DoorEvent::turned_away);
      told[said->cause] += said->count;
    }
    hub.reply(client::Reply(wire::HandledT()));
  }
  CHECK(told[wire::TurnedAway::unknown_token] == 2);
  CHECK(told[wire::TurnedAway::token_over] == 1);
  channel.stop();
}

}  // namespace
}  // namespace carehub::adapters
