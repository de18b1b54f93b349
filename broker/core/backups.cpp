#include "broker/core/backups.hpp"

#include "broker/core/courses.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

/// Where the copies go, for the record.
std::string places(const std::string& ledger, const std::string& vault) {
  std::string text;
  if (!ledger.empty()) text += "the ledger to " + ledger;
  if (!vault.empty()) text += (text.empty() ? "the vault to " : ", the vault to ") + vault;
  return text;
}

}  // namespace

Result<void> Backups::ask(const Peer& peer, const wire::Backup& frame, Timestamp now, Decision& out) {
  const auto refuse = [&](ErrorKind kind, const char* why) {
    out.sends.push_back({peer.connection, backup_failed_frame(frame.number(), kind, why)});
    Wish wish{"backup", {}, frame.by(), frame.reason()};
    wish.what.add("the ledger to", text_of(frame.ledger())).add("the vault to", text_of(frame.vault()));
    return refused_.add(peer, std::move(wish), why, now);
  };
  if (!peer.is_operator) return refuse(ErrorKind::denied, "only an operator's connection makes backups");
  for (const auto* text : {frame.ledger(), frame.vault(), frame.by(), frame.reason()}) {
    if (text != nullptr && text->size() > limits::kErrorTextBytesMax)
      return refuse(ErrorKind::invalid, "a text of the frame is too long");
  }
  if (text_of(frame.ledger()).empty() && text_of(frame.vault()).empty())
    return refuse(ErrorKind::invalid, "say where the copy of the ledger goes, or of the vault, or both");
  if (text_of(frame.by()).empty()) return refuse(ErrorKind::invalid, "say who asks: it is recorded");
  if (text_of(frame.reason()).empty()) return refuse(ErrorKind::invalid, "say the reason: it is recorded");
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::AccessT access;
  access.verb = "backup";
  access.by = asker(peer, text_of(frame.by()));
  access.reason = text_of(frame.reason());
  access.what = places(text_of(frame.ledger()), text_of(frame.vault()));
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  context_.journal.append({storage::EntryKind::access, *key, std::move(body)}, now);
  AskBackup ask{peer, {}};
  frame.UnPackTo(&ask.backup);
  out.backups.push_back(std::move(ask));
  return {};
}

Result<void> Backups::ended(const AskBackup& ask, const Result<Sequence>& copied, Timestamp now,
                            Decision& out) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::OperatorActionT action;
  action.action = copied ? kBackupAction : kBackupFailedAction;
  action.by = asker(ask.peer, ask.backup.by);
  action.reason = ask.backup.reason;
  action.detail = places(ask.backup.ledger, ask.backup.vault);
  if (copied) {
    action.sequence = *copied;
  } else {
    action.detail += ": " + copied.error().text;
  }
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  context_.journal.append({storage::EntryKind::operator_action, *key, std::move(body)}, now);
  if (!copied) {
    const auto& error = copied.error();
    out.sends.push_back(
        {ask.peer.connection, backup_failed_frame(ask.backup.number, error.kind, error.text)});
    return {};
  }
  wire::BackedUpT told;
  told.number = ask.backup.number;
  told.last = true;
  told.sequence = *copied;
  out.sends.push_back({ask.peer.connection, backed_up_frame(told)});
  return {};
}

}  // namespace carehub::core
