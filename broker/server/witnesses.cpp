#include "broker/server/witnesses.hpp"

#include <algorithm>
#include <map>

#include "broker/base/limits.hpp"
#include "broker/server/log.hpp"
#include "broker/storage/checkpoint.hpp"
#include "broker/storage/file.hpp"
#include "broker/storage/proofs.hpp"

namespace carehub::server {
namespace {

namespace verify = storage::verify;

constexpr std::size_t kWitnessesMax = 32;  // their lines fit into one checkpoint
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kWithinSecondsMax = 30 * kDaySeconds;

bool same_signer(const verify::Signature& one, const verify::Signature& other) {
  return one.name == other.name && one.id == other.id;
}

std::string text_of_note(const verify::Checkpoint& checkpoint) {
  std::string text = checkpoint.body + "\n";
  for (const auto& signature : checkpoint.signatures) {
    Bytes bytes(signature.id.begin(), signature.id.end());
    bytes.insert(bytes.end(), signature.bytes.begin(), signature.bytes.end());
    text += "\xE2\x80\x94 " + signature.name + " " + storage::to_base64(bytes) + "\n";
  }
  return text;
}

}  // namespace

WitnessRules read_witnesses(ConfigTable& root) {
  WitnessRules rules;
  std::map<std::string, std::string> names;
  std::map<std::string, std::string> ids;
  for (auto& table : root.tables("witness")) {
    WitnessRules::Known known;
    known.name = table.text("name");
    const std::string text = table.text("key");
    if (const auto [first, added] = names.try_emplace(known.name, table.place("name"));
        !added && !known.name.empty()) {
      table.fault("name", "the witness `" + known.name + "` is configured twice, first at " + first->second,
                  "Rename or remove one.");
    }
    if (text.empty()) continue;
    auto key = verify::parse_key(text);
    if (!key) {
      table.fault("key", key.error().text, "Paste the line that `carehub witness keygen` printed there.");
      continue;
    }
    if (key->kind != verify::Key::kCosignature) {
      table.fault("key", "this key signs as a log, not as a witness",
                  "Paste the line that `carehub witness keygen` printed there.");
    }
    if (const auto [first, added] = ids.try_emplace(text, table.place("key")); !added) {
      table.fault("key", "the key is another witness's, at " + first->second,
                  "Each witness makes a key of its own.");
    }
    known.key = *std::move(key);
    rules.known.push_back(std::move(known));
    if (rules.known.size() == kWitnessesMax + 1)
      table.fault("", "more witnesses than one checkpoint carries (32)", "Remove some.");
  }
  auto hub = root.table("hub");
  if (!hub) return rules;
  rules.within_s = static_cast<std::uint32_t>(hub->integer("witness_within_s", 0, 0, kWithinSecondsMax));
  if (rules.within_s > 0 && rules.known.empty()) {
    hub->fault("witness_within_s", "a cosignature is required and there is no [[witness]]",
               "Add [[witness]] with name and key, or remove witness_within_s.");
  }
  return rules;
}

Witnesses::Witnesses(Parts parts) : parts_(std::move(parts)) {
  for (const auto& known : parts_.rules.known) keys_.push_back(known.key);
  if (keys_.empty()) return;
  writer_ = std::make_unique<Worker>("witnesses");
  read_back();
}

Witnesses::~Witnesses() {
  if (unwritten_) write_newest();
}

void Witnesses::read_back() {
  const auto file = storage::File::open_to_read(parts_.file);
  if (!file && file.error().kind == ErrorKind::not_found) return;
  const auto bytes =
      file ? file->read_at(0, verify::kCheckpointBytesMax + 1) : Result<Bytes>(tl::unexpected(file.error()));
  auto checked = bytes ? check(text_of(*bytes)) : Result<verify::Checkpoint>(tl::unexpected(bytes.error()));
  if (!checked) {
    log_alarm("witness_unread", parts_.file.string() + " is not used: " + checked.error().text +
                                    ". It stays until a witness cosigns anew");
    return;
  }
  std::uint64_t at_s = 0;
  if (const auto seen = verify::cosigners_of(*checked, keys_)) {
    for (const auto& one : *seen) at_s = std::max(at_s, one.at_s);
  }
  constexpr auto kSecondsMax = static_cast<std::uint64_t>(INT64_MAX / kSecondUs);
  (void)says_anything_new(*checked);
  accepted_at_ = Timestamp{static_cast<std::int64_t>(std::min(at_s, kSecondsMax)) * kSecondUs};
  keep(*std::move(checked));
  unwritten_ = false;
}

Result<verify::Checkpoint> Witnesses::check(std::string_view text) {
  auto checkpoint = verify::parse_checkpoint(text);
  if (!checkpoint) return checkpoint;
  const auto cosigned = verify::cosigners_of(*checkpoint, keys_);
  if (!cosigned) return tl::unexpected(cosigned.error());
  if (cosigned->empty()) {
    return fail(ErrorKind::denied,
                "none of this hub's witnesses cosigned the checkpoint: its people put a witness's verifier "
                "key into [[witness]]");
  }
  if (const auto signer = verify::signer_of(*checkpoint, parts_.own_keys); !signer)
    return tl::unexpected(signer.error());
  if (auto agreed = check_root(*checkpoint); !agreed) return tl::unexpected(agreed.error());
  return checkpoint;
}

Result<void> Witnesses::check_root(const verify::Checkpoint& checkpoint) {
  if (newest_ && newest_->checkpoint.size == checkpoint.size && newest_->checkpoint.root == checkpoint.root)
    return {};
  if (checkpoint.size == 0) return fail(ErrorKind::invalid, "a checkpoint of no entries needs no witness");
  const std::string disagrees = "a checkpoint of " + std::to_string(checkpoint.size) +
                                " entries that this hub's key signed and a witness cosigned is not of this "
                                "ledger";
  if (checkpoint.size > parts_.ledger.head()) {
    return fail(ErrorKind::corrupt, disagrees + ", which ends at " + std::to_string(parts_.ledger.head()));
  }
  storage::TreeReader tree(checkpoint.size, [this](storage::TileId id, std::size_t width) {
    return parts_.ledger.tile(id, width);
  });
  const auto root = tree.root();
  if (!root) return tl::unexpected(root.error());
  if (*root == checkpoint.root) return {};
  return fail(ErrorKind::corrupt, disagrees + ": the root hash differs");
}

/// What was said before, handed in again by whoever, is no sign that a witness still watches.
bool Witnesses::says_anything_new(const verify::Checkpoint& checkpoint) {
  bool says = !newest_ || checkpoint.size > newest_->checkpoint.size;
  const auto cosigned = verify::cosigners_of(checkpoint, keys_);
  if (!cosigned) return false;
  for (const auto& one : *cosigned) {
    auto& before = cosigned_at_s_[one.name];
    says = says || one.at_s > before;
    before = std::max(before, one.at_s);
  }
  return says;
}

bool Witnesses::is_known(const verify::Signature& signature) const {
  const auto signs = [&signature](const verify::Key& key) {
    return key.name == signature.name && key.id == signature.id;
  };
  return std::any_of(keys_.begin(), keys_.end(), signs) ||
         std::any_of(parts_.own_keys.begin(), parts_.own_keys.end(), signs);
}

void Witnesses::keep(verify::Checkpoint checkpoint) {
  std::vector<verify::Signature> known;
  for (auto& signature : checkpoint.signatures) {
    if (!is_known(signature)) continue;
    // A witness that has cosigned this tree before says so again behind its older word.
    std::erase_if(known, [&signature](const auto& other) { return same_signer(signature, other); });
    known.push_back(std::move(signature));
  }
  checkpoint.signatures = std::move(known);
  if (newest_ && newest_->checkpoint.size > checkpoint.size) return;
  if (newest_ && newest_->checkpoint.size == checkpoint.size) {
    for (auto& older : newest_->checkpoint.signatures) {
      const auto newer =
          std::find_if(checkpoint.signatures.begin(), checkpoint.signatures.end(),
                       [&older](const auto& signature) { return same_signer(older, signature); });
      if (newer == checkpoint.signatures.end()) {
        checkpoint.signatures.push_back(std::move(older));
      } else if (newer->bytes < older.bytes) {
        newer->bytes =
            std::move(older.bytes);  // a cosignature begins with its time, big-endian: the later stays
      }
    }
  }
  std::string text = text_of_note(checkpoint);
  newest_ = Kept{std::move(checkpoint), std::move(text)};
  unwritten_ = true;
}

wire::HandledT Witnesses::take(const wire::Cosign& frame, Timestamp now) {
  wire::HandledT answer;
  answer.number = frame.number();
  const auto text = frame.checkpoint() == nullptr
                        ? std::string_view()
                        : std::string_view(frame.checkpoint()->c_str(), frame.checkpoint()->size());
  auto checked = keys_.empty()
                     ? fail(ErrorKind::denied, "this hub knows no witness: its people add one by [[witness]]")
                     : check(text);
  if (!checked) {
    ++refused_;
    if (checked.error().kind == ErrorKind::corrupt && !disagreed_) {
      disagreed_ = true;
      disagreement_ = checked.error().text;
    }
    answer.error = static_cast<wire::ErrorKind>(checked.error().kind);
    answer.text = checked.error().text;
    return answer;
  }
  answer.sequence = checked->size;
  if (!says_anything_new(*checked)) return answer;
  ++accepted_;
  disagreed_ = false;
  accepted_at_ = now;
  keep(*std::move(checked));
  uncovered_since_.reset();
  back_ = back_ || told_ > 0;
  told_ = 0;
  write();
  return answer;
}

void Witnesses::watch(Sequence head, Timestamp now, core::Decision& out) {
  if (disagreement_) {
    out.alarms.push_back({"witness_disagrees",
                          *disagreement_ + ". Was an old copy of it put back? Restore the newest, and speak "
                                           "with the witness's people"});
  }
  if (back_) out.alarms.push_back({"witness_back", "a witness has cosigned a checkpoint again"});
  disagreement_.reset();
  back_ = false;
  write();
  if (parts_.rules.within_s == 0) return;
  if (newest_ && head <= newest_->checkpoint.size) {
    uncovered_since_.reset();
    return;
  }
  if (head == 0) return;
  if (!uncovered_since_) uncovered_since_ = now;
  const std::int64_t waited_s = (now.us - uncovered_since_->us) / kSecondUs;
  const std::int64_t within_s = parts_.rules.within_s;
  if (waited_s < within_s) return;
  const std::int64_t step = 1 + (waited_s - within_s) / kDaySeconds;
  if (step <= told_) return;
  told_ = step;
  const std::uint64_t covered = newest_ ? newest_->checkpoint.size : 0;
  out.alarms.push_back(
      {"witness_missing", "no witness has cosigned a checkpoint for " + std::to_string(waited_s) +
                              " s while entries came in: " + std::to_string(head - covered) +
                              " are not covered. Ring the people who run a witness (`carehub witness`)"});
}

/// Not on this thread: it waits for the disk. While one is under way, the next waits for it.
void Witnesses::write() {
  if (unwritten_ && !writing_) write_newest();
}

void Witnesses::write_newest() {
  unwritten_ = false;
  writing_ = true;
  writer_->run([this, text = newest_->text] {
    const auto put = storage::replace_public_file(parts_.file, text);
    if (!put && !failing_)
      log_notice("cosigned-unwritten", put.error().text + ". It is tried again with the next");
    failing_ = !put;
    writing_ = false;
  });
}

void Witnesses::complete(const wire::QueryT& query, wire::PageT& page) const {
  if (query.path == "cosigned") {
    page.rows.clear();
    page.error = newest_ ? wire::ErrorKind::unknown : wire::ErrorKind::not_found;
    page.text = newest_ ? "" : "no witness has cosigned a checkpoint of this hub";
    if (!newest_) return;
    page.rows.push_back(std::make_unique<wire::RowT>());
    page.rows.front()->kind = "checkpoint";
    page.rows.front()->sequence = newest_->checkpoint.size;
    page.rows.front()->text = newest_->text;
    return;
  }
  if (!newest_ || page.rows.empty()) return;
  auto& row = *page.rows.front();
  if (row.text.starts_with(newest_->checkpoint.body + "\n")) row.text = newest_->text;
}

void Witnesses::count(Statistics& to, Timestamp now) const {
  to.witnesses = keys_.size();
  to.cosignatures = accepted_;
  to.cosignatures_refused = refused_;
  to.cosigned_entries = newest_ ? newest_->checkpoint.size : 0;
  to.cosigned_age_s = accepted_at_ ? std::max<std::int64_t>(0, (now.us - accepted_at_->us) / kSecondUs) : 0;
}

}  // namespace carehub::server
