#include "broker/care/publications_fold.hpp"

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {

void fold_publications(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows) {
  if (event.fingerprint() != nullptr) {
    rows.put(row_keys::fingerprint(fingerprint_from(*event.fingerprint())),
             RowWriter().number(entry.sequence).time(entry.appended_at.us).take());
  }
  if (event.identity() != nullptr) {
    rows.put(row_keys::identity(key_from<KeyedHash>(*event.identity())),
             RowWriter().number(entry.sequence).take());
  }
}

void fold_refused(const FoldEntry& entry, const ledger::Refusal& refusal, Rows& rows) {
  if (refusal.fingerprint() == nullptr) return;
  rows.put(row_keys::fingerprint(fingerprint_from(*refusal.fingerprint())),
           RowWriter().number(entry.sequence).time(entry.appended_at.us).take());
}

Result<core::KnownPublication> known_publication(const RowReads& rows, const Fingerprint& fingerprint,
                                                 const KeyedHash& identity) {
  core::KnownPublication known;
  auto same = rows.get(row_keys::fingerprint(fingerprint));
  if (!same) return tl::unexpected(same.error());
  if (*same) {
    RowReader reader(**same);
    known.same = reader.number<Sequence>();
    known.appended_at = {reader.time()};
    if (!reader.ok()) {
      return fail(ErrorKind::corrupt, "a publication's row is cut short: run carehub rebuild");
    }
    known.identity_seen = true;
    return known;
  }
  auto seen = rows.get(row_keys::identity(identity));
  if (!seen) return tl::unexpected(seen.error());
  known.identity_seen = seen->has_value();
  return known;
}

}  // namespace carehub::care
