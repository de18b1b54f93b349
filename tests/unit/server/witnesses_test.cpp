#include "broker/server/witnesses.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/base/wire_frame.hpp"
#include "broker/storage/cosigner.hpp"
#include "broker/storage/memory_ledger.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using server::Witnesses;
using storage::verify::parse_key;

namespace {

constexpr std::uint64_t kSeed = 12;
constexpr std::uint64_t kSeenAt = 1'772'355'500;

/// A hub's ledger, its key, two witnesses that it knows and one that it does not.
struct Hub {
  explicit Hub(std::uint32_t within_s_in = 0) : within_s(within_s_in) {
    ledger.sign_with(signer);
    start();
  }
  ~Hub() {
    witnesses.reset();
    REQUIRE(ledger.close());
  }

  void start() {
    witnesses.reset();
    server::WitnessRules rules;
    rules.known = {{"March", *parse_key(march.public_text())},
                   {"Council", *parse_key(council.public_text())}};
    rules.within_s = within_s;
    witnesses = std::make_unique<Witnesses>(
        Witnesses::Parts{rules, {*parse_key(signer.public_text())}, ledger, file()});
  }
  void grow(std::size_t entries) {
    ledger.append(fakes::sealed_batch(kSeed, ledger.head() + 1, entries), [](const Result<Sequence>&) {});
  }
  static std::string cosigned(const std::string& text, const storage::Cosigner& by) {
    return text + by.cosign(storage::verify::parse_checkpoint(text)->body, kSeenAt);
  }
  wire::HandledT hand_in(const std::string& text) {
    wire::CosignT frame;
    frame.number = 9;
    frame.checkpoint = text;
    const Bytes bytes = frame_bytes(std::move(frame));
    return witnesses->take(*verified_frame(bytes)->message_as_Cosign(), now);
  }
  std::vector<std::string> watch(std::int64_t after_s = 0) {
    now.us += after_s * kSecondUs;
    core::Decision decision;
    witnesses->watch(ledger.head(), now, decision);
    std::vector<std::string> codes;
    for (const auto& alarm : decision.alarms) codes.push_back(alarm.code);
    return codes;
  }
  /// The newest cosigned one; empty where nothing was cosigned.
  std::string kept() const {
    wire::PageT page;
    wire::QueryT query;
    query.path = "cosigned";
    witnesses->complete(query, page);
    if (page.rows.empty()) CHECK(page.error == wire::ErrorKind::not_found);
    return page.rows.empty() ? std::string() : page.rows.front()->text;
  }
  /// What a question for the checkpoint is answered with.
  std::string shown() const {
    wire::PageT page;
    page.rows.push_back(std::make_unique<wire::RowT>());
    page.rows.front()->text = *ledger.checkpoint();
    witnesses->complete({}, page);
    return page.rows.front()->text;
  }
  std::size_t cosigners() const {
    const auto checkpoint = storage::verify::parse_checkpoint(kept());
    return storage::verify::cosigners_of(*checkpoint,
                                         {*parse_key(march.public_text()), *parse_key(council.public_text())})
        ->size();
  }
  server::Statistics counts() const {
    server::Statistics statistics;
    witnesses->count(statistics, now);
    return statistics;
  }
  std::filesystem::path file() const { return work.path() / server::kCosignedFile; }

  std::uint32_t within_s;
  fakes::TemporaryDirectory work;
  fakes::SeededRandom random{kSeed};
  storage::CheckpointSigner signer = *storage::CheckpointSigner::make("carehub/test", random);
  storage::Cosigner march = *storage::Cosigner::make("witness.march.example", random);
  storage::Cosigner council = *storage::Cosigner::make("witness.council.example", random);
  storage::Cosigner stranger = *storage::Cosigner::make("witness.elsewhere.example", random);
  storage::MemoryLedger ledger;
  std::unique_ptr<Witnesses> witnesses;
  Timestamp now{1'772'355'600 * kSecondUs};
};

}  // namespace

TEST_CASE("the newest checkpoint that a witness cosigned is kept, and outlives a restart") {
  Hub hub;
  CHECK(hub.kept().empty());
  hub.grow(3);
  const std::string first = Hub::cosigned(*hub.ledger.checkpoint(), hub.march);
  const auto answer = hub.hand_in(first);
  CHECK(answer.error == wire::ErrorKind::unknown);
  CHECK(answer.number == 9);
  CHECK(answer.sequence == 3);
  CHECK(hub.kept() == first);

  hub.grow(300);
  const std::string second = Hub::cosigned(*hub.ledger.checkpoint(), hub.march);
  CHECK(hub.hand_in(second).sequence == 303);
  // One that comes late is a sign of life, and does not take the newer one's place.
  CHECK(hub.hand_in(Hub::cosigned(first, hub.council)).sequence == 3);
  CHECK(hub.kept() == second);
  CHECK(hub.watch().empty());
  hub.start();
  CHECK(hub.kept() == second);
  CHECK(hub.counts().cosigned_entries == 303);
  CHECK(hub.counts().cosigned_age_s == 100);
}

TEST_CASE("what several witnesses say of one checkpoint stands beside each other, each one's newest word") {
  Hub hub;
  hub.grow(5);
  const std::string text = *hub.ledger.checkpoint();
  CHECK(hub.hand_in(Hub::cosigned(text, hub.march)).sequence == 5);
  CHECK(hub.hand_in(Hub::cosigned(text, hub.council)).sequence == 5);
  CHECK(hub.cosigners() == 2);
  CHECK(hub.hand_in(Hub::cosigned(Hub::cosigned(text, hub.march), hub.stranger)).sequence == 5);
  CHECK(hub.cosigners() == 2);
  CHECK(hub.kept().find("elsewhere") == std::string::npos);
  const std::string later =
      text + hub.march.cosign(storage::verify::parse_checkpoint(text)->body, kSeenAt + 60);
  CHECK(hub.hand_in(Hub::cosigned(text, hub.march) + later.substr(text.size())).sequence == 5);
  CHECK(hub.cosigners() == 2);
  CHECK(hub.kept().find(later.substr(text.size())) != std::string::npos);
}

TEST_CASE("whoever asks for the checkpoint sees the cosignatures of that very tree with it") {
  Hub hub;
  hub.grow(5);
  const std::string text = *hub.ledger.checkpoint();
  CHECK(hub.shown() == text);
  CHECK(hub.hand_in(Hub::cosigned(text, hub.march)).sequence == 5);
  CHECK(hub.shown() == Hub::cosigned(text, hub.march));
  hub.grow(1);
  CHECK(hub.shown() == *hub.ledger.checkpoint());
  CHECK(hub.kept() == Hub::cosigned(text, hub.march));
}

TEST_CASE("only a known witness's word over the hub's own checkpoint and tree is taken") {
  Hub hub;
  hub.grow(5);
  const std::string own = *hub.ledger.checkpoint();
  const auto other = storage::CheckpointSigner::make("carehub/test", hub.random);
  const std::string by_another_key = other->sign(5, storage::verify::parse_checkpoint(own)->root);
  std::string twisted = Hub::cosigned(own, hub.march);
  twisted[twisted.size() - 10] = twisted[twisted.size() - 10] == 'A' ? 'B' : 'A';
  const auto refused = [&hub](const std::string& text) { return hub.hand_in(text).error; };
  CHECK(refused("") == wire::ErrorKind::invalid);
  CHECK(refused(own) == wire::ErrorKind::denied);
  CHECK(refused(Hub::cosigned(own, hub.stranger)) == wire::ErrorKind::denied);
  CHECK(refused(Hub::cosigned(by_another_key, hub.march)) == wire::ErrorKind::invalid);
  CHECK(refused(twisted) == wire::ErrorKind::invalid);
  CHECK(hub.watch().empty());
  CHECK(refused(Hub::cosigned(hub.signer.sign(5, Hash{}), hub.march)) == wire::ErrorKind::corrupt);
  CHECK(refused(Hub::cosigned(hub.signer.sign(6, Hash{}), hub.march)) == wire::ErrorKind::corrupt);
  // Said once, however often it comes.
  CHECK(hub.watch() == std::vector<std::string>{"witness_disagrees"});
  CHECK(hub.kept().empty());
  CHECK(hub.counts().cosignatures_refused == 7);
  CHECK(hub.counts().cosignatures == 0);
}

TEST_CASE("operators are told when entries come and no witness does, each day again, and when it is over") {
  Hub hub(60);
  CHECK(hub.watch(1'000).empty());  // nothing to witness
  hub.grow(2);
  CHECK(hub.watch().empty());
  CHECK(hub.watch(59).empty());
  CHECK(hub.watch(1) == std::vector<std::string>{"witness_missing"});
  CHECK(hub.watch(3'600).empty());
  CHECK(hub.watch(86'400) == std::vector<std::string>{"witness_missing"});
  CHECK(hub.hand_in(Hub::cosigned(*hub.ledger.checkpoint(), hub.march)).sequence == 2);
  CHECK(hub.watch() == std::vector<std::string>{"witness_back"});
  // All is covered: a quiet night is no fault of the witness's, and the next entry has its whole time.
  CHECK(hub.watch(40'000).empty());
  hub.grow(1);
  CHECK(hub.watch().empty());
  CHECK(hub.watch(59).empty());
  CHECK(hub.watch(1) == std::vector<std::string>{"witness_missing"});
}

TEST_CASE("a witness that is always a little behind a busy hub is not missing") {
  Hub hub(60);
  hub.grow(1);
  for (int round = 0; round < 10; ++round) {
    const std::string text = Hub::cosigned(*hub.ledger.checkpoint(), hub.march);
    hub.grow(1);
    CHECK(hub.watch(50).empty());
    CHECK(hub.hand_in(text).error == wire::ErrorKind::unknown);
  }
}

TEST_CASE("a cosignature that is handed in again, by whoever, is no sign that a witness still watches") {
  Hub hub(60);
  hub.grow(1);
  const std::string text = Hub::cosigned(*hub.ledger.checkpoint(), hub.march);
  CHECK(hub.hand_in(text).sequence == 1);
  hub.grow(1);
  CHECK(hub.watch().empty());
  CHECK(hub.watch(59).empty());
  CHECK(hub.hand_in(text).error == wire::ErrorKind::unknown);
  CHECK(hub.watch(1) == std::vector<std::string>{"witness_missing"});
  CHECK(hub.hand_in(hub.kept()).error == wire::ErrorKind::unknown);
  CHECK(hub.watch().empty());
  CHECK(hub.counts().cosignatures == 1);
}

TEST_CASE("a kept checkpoint that is not of this ledger is told of and not used") {
  Hub hub;
  hub.grow(5);
  const std::string text = GENERATE(as<std::string>(), "", "damaged", "another history");
  std::ofstream(hub.file()) << (text == "another history"
                                    ? Hub::cosigned(hub.signer.sign(4, Hash{}), hub.march)
                                    : text);
  hub.start();
  CHECK(hub.kept().empty());
  CHECK(hub.hand_in(Hub::cosigned(*hub.ledger.checkpoint(), hub.march)).sequence == 5);
  hub.start();
  CHECK_FALSE(hub.kept().empty());
}

TEST_CASE("a configuration's witnesses are read, and each fault of theirs has its place") {
  fakes::SeededRandom random(13);
  const auto one = storage::Cosigner::make("one.example", random);
  const auto log = storage::CheckpointSigner::make("log.example", random);
  const auto read = [](const std::string& text, std::vector<std::string>& faults) {
    auto document = ConfigDocument::parse(text, "hub.toml");
    auto root = document.root();
    auto rules = server::read_witnesses(root);
    for (const auto& fault : document.faults()) faults.push_back(to_string(fault));
    return rules;
  };
  const auto witness = [](const std::string& name, const std::string& key) {
    return "[[witness]]\nname = \"" + name + "\"\nkey = \"" + key + "\"\n";
  };
  std::vector<std::string> faults;
  const auto good = read("[hub]\nwitness_within_s = 900\n" + witness("March", one->public_text()), faults);
  CHECK(faults.empty());
  CHECK(good.within_s == 900);
  REQUIRE(good.known.size() == 1);
  CHECK(good.known.front().name == "March");

  const auto told = [&](const std::string& text, const std::string& what) {
    faults.clear();
    (void)read(text, faults);
    CAPTURE(faults);
    return faults.size() == 1 && faults.front().find(what) != std::string::npos;
  };
  CHECK(told("[hub]\nwitness_within_s = 900\n", "there is no [[witness]]"));
  CHECK(told(witness("March", "one.example+00000000+AAAA"), "hub.toml:3"));
  CHECK(told(witness("March", log->public_text()), "signs as a log"));
  std::string many;
  for (int at = 0; at <= 32; ++at) {
    faults.clear();
    CHECK(read(many, faults).known.size() == static_cast<std::size_t>(at));
    CHECK(faults.empty());
    const auto next = storage::Cosigner::make("w" + std::to_string(at) + ".example", random);
    many += witness("w" + std::to_string(at), next->public_text());
  }
  CHECK(told(many, "more witnesses than one checkpoint carries (32)"));
  CHECK(told(witness("March", one->public_text()) + witness("Other", one->public_text()),
             "the key is another witness's"));
}
