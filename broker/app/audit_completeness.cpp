#include "broker/app/audit_completeness.hpp"

#include <algorithm>
#include <ostream>
#include <set>

#include "broker/app/export_events.hpp"
#include "broker/app/export_folder.hpp"
#include "broker/app/export_texts.hpp"
#include "broker/app/hub_tree.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/sealed_rows.hpp"
#include "broker/app/span_proof.hpp"
#include "broker/app/timeline_rows.hpp"
#include "broker/app/verifier_keys.hpp"
#include "broker/base/clock.hpp"
#include "broker/care/filing.hpp"

namespace carehub::app {
namespace {

namespace verify = storage::verify;
using storage::EntryKind;

template <class Numbers>
std::string list_of(const Numbers& numbers) {
  JsonList list;
  for (const Sequence number : numbers) list.add_json(std::to_string(number));
  return list.text();
}

/// One look at a person's timeline and at all that lies around it.
class Completeness {
 public:
  Completeness(const CompletenessOptions& options, client::HubClient& hub, ExportFolder& folder,
               Surroundings& surroundings)
      : options_(options),
        hub_(hub),
        folder_(folder),
        surroundings_(surroundings),
        tree_(hub, surroundings) {}

  Result<void> look(const std::string& person, const ExportSpan& span);
  Result<void> write_rest(const std::string& hub_name, const HubKeys& keys);

  ExportFacts facts;
  std::vector<Sequence> left_out;
  std::set<Sequence> counted;    // records of the child of which the role is shown an event
  std::set<Sequence> not_shown;  // of which it is shown none: their keys are not known here

 private:
  struct Under {
    KeyId key;
    EntryKind kind = EntryKind::event;
  };
  wire::QueryT question() const {
    wire::QueryT query;
    query.by = options_.by;
    query.reason = "completeness: " + options_.reason;
    query.role = options_.role;
    return query;
  }
  Result<void> read_leaves(const ExportSpan& span);
  Result<void> read_timeline(const std::string& person);
  void add_records(const std::string& remark);
  Result<void> find_keys();
  Result<void> compare();

  const CompletenessOptions& options_;
  client::HubClient& hub_;
  ExportFolder& folder_;
  Surroundings& surroundings_;
  HubTree tree_;
  SignedTree signed_;
  SpanProof span_;
  std::vector<Hash> leaves_;  // of the span, as the three below
  std::vector<Under> under_;
  std::set<Sequence> told_;       // the timeline's events in the span
  std::set<Sequence> elsewhere_;  // those outside of it
  std::set<KeyId> keys_;          // the person's
};

Result<void> Completeness::read_leaves(const ExportSpan& span) {
  const auto head = tree_.head();
  if (!head) return tl::unexpected(head.error());
  auto covering = tree_.signed_tree(std::min(span.last, *head));
  if (!covering) return tl::unexpected(covering.error());
  signed_ = *std::move(covering);
  auto asked = question();
  asked.sequence = span.first;
  asked.size = std::min(span.last, signed_.checkpoint.size);
  asked.first_at = span.first_at;
  asked.last_at = span.last_at;
  if (asked.sequence > asked.size) return fail(ErrorKind::not_found, "the ledger does not reach that far");
  if (auto begun = folder_.append("leaves.txt", ""); !begun) return begun;
  const auto found =
      tree_.each_entry(std::move(asked), [this](const storage::SealedEntry& entry) -> Result<void> {
        if (leaves_.size() >= kCompletenessEntriesMax)
          return fail(ErrorKind::invalid, "a span holds at most 1000000 entries: choose a smaller one");
        if (!leaves_.empty() && entry.header.sequence != span_.last + 1)
          return fail(ErrorKind::corrupt, "the hub left out entry " + std::to_string(span_.last + 1));
        if (leaves_.empty()) span_.first = entry.header.sequence;
        span_.last = entry.header.sequence;
        leaves_.push_back(entry.leaf);
        under_.push_back({entry.header.key_id, entry.header.kind});
        return folder_.append("leaves.txt", leaf_line(entry) + "\n");
      });
  if (!found) return tl::unexpected(found.error());
  if (leaves_.empty()) return fail(ErrorKind::not_found, "no entry was written down in this span");
  auto proof =
      make_span_proof(span_.first, span_.last, signed_.checkpoint.size,
                      [this](storage::TileId id, std::size_t width) { return tree_.tile(id, width); });
  if (!proof) return tl::unexpected(proof.error());
  span_ = *std::move(proof);
  const auto root = root_of(span_, leaves_);
  if (!root) return tl::unexpected(root.error());
  if (*root != signed_.checkpoint.root)
    return fail(ErrorKind::corrupt, "the entries that the hub gave do not lead to its checkpoint's root");
  return {};
}

/// All of it, since an event of before the span may name a key that is in use within.
Result<void> Completeness::read_timeline(const std::string& person) {
  auto begun = folder_.append("events.jsonl", "");
  if (begun) begun = folder_.append("events.csv", timeline_csv_header() + "\n");
  if (!begun) return begun;
  const auto take = [this](const wire::RowT& row) -> Result<void> {
    if (row.kind == "event") counted.insert(std::max<Sequence>(1, care::filing_from(row.state).record));
    if (row.sequence < span_.first || row.sequence > span_.last) {
      elsewhere_.insert(row.sequence);
      return {};
    }
    ++facts.rows;
    told_.insert(row.sequence);
    auto added = folder_.append("events.jsonl", timeline_json(row) + "\n");
    return added ? folder_.append("events.csv", timeline_csv(row) + "\n") : added;
  };
  return person_events(hub_, question(), person, {}, take, [this](const std::string& remark) {
    surroundings_.err << remark << std::endl;
    add_remark(facts, remark);
    add_records(remark);
  });
}

/// The hub names each further record of the child that it knows of, whatever the role is shown of it.
void Completeness::add_records(const std::string& remark) {
  for (Sequence record = 2;
       remark.find("record " + std::to_string(record) + " is this child, too") != std::string::npos; ++record)
    not_shown.insert(record);
}

Result<void> Completeness::find_keys() {
  not_shown.insert(1);  // the one that was asked about
  std::erase_if(not_shown, [this](Sequence record) { return counted.contains(record); });
  for (const Sequence sequence : told_) keys_.insert(under_[sequence - span_.first].key);
  constexpr Sequence kGapMax = 64;
  for (auto from = elsewhere_.begin(); from != elsewhere_.end();) {
    auto to = from;
    auto next = std::next(from);
    for (; next != elsewhere_.end() && *next - *to <= kGapMax; ++next) to = next;
    auto asked = question();
    asked.sequence = *from;
    asked.size = *to;
    const auto found = tree_.each_entry(std::move(asked), [this](const storage::SealedEntry& entry) {
      if (elsewhere_.contains(entry.header.sequence)) keys_.insert(entry.header.key_id);
      return Result<void>();
    });
    if (!found) return tl::unexpected(found.error());
    from = next;
  }
  if (keys_.empty())
    return fail(ErrorKind::not_found,
                "the role is shown no event of this person, so that no key of theirs "
                "is known: ask in another role");
  return {};
}

Result<void> Completeness::compare() {
  for (std::size_t at = 0; at < under_.size(); ++at) {
    const Sequence sequence = span_.first + at;
    if (under_[at].kind == EntryKind::event && keys_.contains(under_[at].key) && !told_.contains(sequence))
      left_out.push_back(sequence);
  }
  for (const Sequence sequence : told_) {
    if (under_[sequence - span_.first].kind != EntryKind::event)
      return fail(ErrorKind::corrupt,
                  "the timeline tells of entry " + std::to_string(sequence) + ", which is no event");
  }
  JsonList keys;
  for (const auto& key : keys_) keys.add(to_hex(key.bytes));
  JsonList beside;
  for (const auto& hash : span_.beside) beside.add(to_hex(hash));
  JsonLine line;
  line.add("first", span_.first).add("last", span_.last).add("tree_size", span_.size);
  line.add_json("beside", beside.text()).add_json("keys", keys.text());
  line.add_json("events", list_of(told_)).add_json("left_out", list_of(left_out));
  line.add_json("records_counted", list_of(counted)).add_json("records_not_shown", list_of(not_shown));
  return folder_.append("completeness.json", line.text() + "\n");
}

Result<void> Completeness::look(const std::string& person, const ExportSpan& span) {
  auto done = read_leaves(span);
  if (done) done = read_timeline(person);
  if (done) done = find_keys();
  if (done) done = compare();
  facts.entries = leaves_.size();
  facts.about = "one person's events among entries " + std::to_string(span_.first) + " to " +
                std::to_string(span_.last);
  return done;
}

Result<void> Completeness::write_rest(const std::string& hub_name, const HubKeys& keys) {
  const auto signer = verify::signer_of(signed_.checkpoint, keys.keys);
  if (!signer) return tl::unexpected(signer.error());
  facts.hub = hub_name;
  facts.origin = signed_.checkpoint.origin;
  facts.at = to_rfc3339(SystemClock().now());
  facts.by = options_.by;
  facts.reason = options_.reason;
  facts.role = options_.role;
  facts.withheld = left_out.size();
  facts.tree_size = signed_.checkpoint.size;
  auto added = folder_.append("checkpoint", signed_.text);
  if (added) added = folder_.append("checkpoint.keys", keys.text);
  if (added) added = folder_.append("README.txt", completeness_readme(facts));
  if (added) added = folder_.append("export.json", export_json(facts));
  if (added) added = folder_.append("verify.py", completeness_verifier());
  return added;
}

void print_done(const CompletenessOptions& options, const Completeness& made, const std::string& manifest,
                std::ostream& out) {
  if (options.json) {
    out << JsonLine()
               .add("into", options.into.string())
               .add("entries", made.facts.entries)
               .add("event_rows", made.facts.rows)
               .add_json("left_out", list_of(made.left_out))
               .add_json("records_not_shown", list_of(made.not_shown))
               .add("manifest_sha256", manifest)
               .text()
        << std::endl;
    return;
  }
  out << made.facts.about << ": ";
  if (made.left_out.empty()) {
    out << "nothing is left out" << (made.not_shown.empty() ? "" : " of the records that were counted")
        << '\n';
  } else {
    out << made.left_out.size() << " are left out, the first is entry " << made.left_out.front() << '\n';
  }
  for (const auto record : made.not_shown) {
    out << "record " << record << " of this child was not counted: the role is shown no event of it\n";
  }
  out << "the proof is in " << options.into.string() << "; SHA-256 of MANIFEST.sha256: " << manifest
      << std::endl;
}

}  // namespace

ExitCode audit_completeness(const CompletenessOptions& options, Surroundings& surroundings) {
  const auto span = read_span(options.from, options.to);
  if (!span) return complain(surroundings, ExitCode::usage, span.error().text);
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  const auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, person.error());
  const auto keys = read_hub_keys(options.keys, config->data, surroundings);
  if (!keys) return complain(surroundings, keys.error());
  auto hub = connect(*config, "carehub audit", {});
  if (!hub) return complain(surroundings, hub.error());
  auto folder = ExportFolder::create(options.into);
  if (!folder && folder.error().kind == ErrorKind::unavailable)
    return complain(surroundings, ExitCode::storage, folder.error().text);
  if (!folder) return complain(surroundings, folder.error());
  Completeness made(options, **hub, *folder, surroundings);
  auto done = made.look(*person, *span);
  if (done) done = made.write_rest(config->name, *keys);
  if (!done) return complain(surroundings, done.error());
  const auto manifest = folder->complete();
  if (!manifest) return complain(surroundings, ExitCode::storage, manifest.error().text);
  print_done(options, made, *manifest, surroundings.out);
  return made.left_out.empty() && made.not_shown.empty() ? ExitCode::ok : ExitCode::wrong_input;
}

}  // namespace carehub::app
