#include "broker/care/publications_fold.hpp"

#include <algorithm>
#include <cstring>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {

namespace {

struct PublicationRow {
  Fingerprint fingerprint{};
  Sequence sequence = 0;
  Timestamp appended_at;
};

std::string encode(const Fingerprint& fingerprint, const FoldEntry& entry) {
  return RowWriter().text(text_of(fingerprint)).number(entry.sequence).time(entry.appended_at.us).take();
}

Result<std::optional<PublicationRow>> publication_row(const RowReads& rows, const std::string& key) {
  auto row = rows.get(key);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<PublicationRow>();
  RowReader reader(**row);
  PublicationRow publication;
  const auto fingerprint = reader.text();
  if (fingerprint.size() == publication.fingerprint.size())
    std::memcpy(publication.fingerprint.data(), fingerprint.data(), fingerprint.size());
  publication.sequence = reader.number<Sequence>();
  publication.appended_at = {reader.time()};
  if (!reader.ok()) {
    return fail(ErrorKind::corrupt, "a publication's row is cut short: run carehub rebuild");
  }
  return std::optional(publication);
}

Fingerprint fingerprint_of(std::string_view text) {
  Fingerprint fingerprint{};
  if (text.size() == fingerprint.size()) std::memcpy(fingerprint.data(), text.data(), fingerprint.size());
  return fingerprint;
}

bool reuses_its_identity(const ledger::EventEntry& event) {
  const auto* marks = event.marks();
  return marks != nullptr && std::any_of(marks->begin(), marks->end(), [](auto mark) {
           return static_cast<ledger::Mark>(mark) == ledger::Mark::id_reused;
         });
}

}  // namespace

/// A message is found by its identity; only what came under a used one needs a row by its content. Where the
/// first one has been erased, the next takes its place.
Result<void> fold_publications(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows) {
  if (event.fingerprint() == nullptr || event.identity() == nullptr) return {};
  const auto fingerprint = fingerprint_from(*event.fingerprint());
  const auto identity = key_from<KeyedHash>(*event.identity());
  auto key = row_keys::identity(identity);
  if (reuses_its_identity(event)) {
    const auto first = publication_row(rows, key);
    if (!first) return tl::unexpected(first.error());
    if (*first) {
      key = row_keys::fingerprint(fingerprint);
      rows.put(row_keys::reused(identity, entry.sequence), std::string(text_of(fingerprint)));
    }
  }
  rows.put(std::move(key), encode(fingerprint, entry));
  return {};
}

void fold_refused(const FoldEntry& entry, const ledger::Refusal& refusal, Rows& rows) {
  if (refusal.fingerprint() == nullptr) return;
  const auto fingerprint = fingerprint_from(*refusal.fingerprint());
  rows.put(row_keys::fingerprint(fingerprint), encode(fingerprint, entry));
  if (refusal.kept()) rows.put(row_keys::refused_under(entry.key_id), std::string(text_of(fingerprint)));
}

namespace {

/// What came under the same identity, and is somebody else's, takes the place of what goes: it must be known
/// again as before.
Result<void> remove_first(const KeyedHash& identity, Rows& rows) {
  rows.remove(row_keys::identity(identity));
  const auto prefix = row_keys::reused_of(identity);
  const auto next = rows.scan(prefix, prefix, 1);
  if (!next) return tl::unexpected(next.error());
  if (next->empty()) return {};
  const auto& [key, fingerprint] = next->front();
  const auto known_by = row_keys::fingerprint(fingerprint_of(fingerprint));
  auto row = rows.get(known_by);
  if (!row) return tl::unexpected(row.error());
  if (*row) rows.put(row_keys::identity(identity), std::move(**row));
  rows.remove(known_by);
  rows.remove(key);
  return {};
}

}  // namespace

Result<void> remove_publication(Sequence sequence, const ledger::EventEntry& event, Rows& rows) {
  if (event.fingerprint() == nullptr || event.identity() == nullptr) return {};
  const auto identity = key_from<KeyedHash>(*event.identity());
  auto first = publication_row(rows, row_keys::identity(identity));
  if (!first) return tl::unexpected(first.error());
  if (*first && (*first)->sequence == sequence) return remove_first(identity, rows);
  const auto key = row_keys::fingerprint(fingerprint_from(*event.fingerprint()));
  const auto row = publication_row(rows, key);
  if (!row) return tl::unexpected(row.error());
  if (*row && (*row)->sequence == sequence) rows.remove(key);
  rows.remove(row_keys::reused(identity, sequence));
  return {};
}

Result<void> remove_refused(const KeyId& key, Rows& rows) {
  const auto name = row_keys::refused_under(key);
  const auto row = rows.get(name);
  if (!row) return tl::unexpected(row.error());
  Fingerprint fingerprint{};
  if (!*row || (*row)->size() != fingerprint.size()) return {};
  std::memcpy(fingerprint.data(), (*row)->data(), fingerprint.size());
  rows.remove(row_keys::fingerprint(fingerprint));
  rows.remove(name);
  return {};
}

Result<core::KnownPublication> known_publication(const RowReads& rows, const Fingerprint& fingerprint,
                                                 const KeyedHash& identity) {
  core::KnownPublication known;
  auto same = publication_row(rows, row_keys::identity(identity));
  if (!same) return tl::unexpected(same.error());
  known.identity_seen = same->has_value();
  const bool without_identity = identity == KeyedHash{};
  if (!known.identity_seen && !without_identity) return known;
  if (without_identity || (*same)->fingerprint != fingerprint) {
    same = publication_row(rows, row_keys::fingerprint(fingerprint));
    if (!same) return tl::unexpected(same.error());
  }
  if (*same) {
    known.same = (*same)->sequence;
    known.appended_at = (*same)->appended_at;
  }
  return known;
}

}  // namespace carehub::care
