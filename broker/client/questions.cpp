#include "broker/client/questions.hpp"

#include "broker/base/wire_frame.hpp"

namespace carehub::client {

namespace {

constexpr std::int64_t kAnswerMs = 60'000;
constexpr std::int64_t kSearchMs = 3'600'000;  // the hub looks through its whole ledger

}  // namespace

void Questions::add(Question question, Done done, std::int64_t now_ms) {
  const std::uint64_t number = next_number_++;
  std::visit([number](auto& each) { each.number = number; }, question);
  all_.emplace(number, One{std::move(question), std::move(done), false, now_ms});
}

void Questions::take_frames(std::vector<Bytes>& out) {
  for (auto& [number, one] : all_) {
    if (one.sent) continue;
    one.sent = true;
    std::visit([&out](auto& question) { out.push_back(frame_bytes(std::move(question))); }, one.question);
  }
}

void Questions::finish(std::uint64_t number, Result<Reply> reply) {
  const auto found = all_.find(number);
  if (found == all_.end()) return;
  const Done done = std::move(found->second.done);
  all_.erase(found);
  done(std::move(reply));
}

void Questions::page(const wire::Page& frame) {
  wire::PageT page;
  frame.UnPackTo(&page);
  const std::uint64_t number = page.number;
  finish(number, Reply(std::move(page)));
}

void Questions::replayed(const wire::Replayed& frame, std::int64_t now_ms) {
  const auto found = all_.find(frame.number());
  if (found == all_.end()) return;
  wire::ReplayedT part;
  frame.UnPackTo(&part);
  if (part.last) {
    finish(frame.number(), Reply(std::move(part)));
    return;
  }
  found->second.heard_ms = now_ms;
  found->second.done(Reply(std::move(part)));
}

void Questions::handled(const wire::Handled& frame) {
  wire::HandledT handled;
  frame.UnPackTo(&handled);
  const std::uint64_t number = handled.number;
  finish(number, Reply(std::move(handled)));
}

void Questions::erased(const wire::Erased& frame) {
  wire::ErasedT erased;
  frame.UnPackTo(&erased);
  const std::uint64_t number = erased.number;
  finish(number, Reply(std::move(erased)));
}

void Questions::backed_up(const wire::BackedUp& frame, std::int64_t now_ms) {
  const auto found = all_.find(frame.number());
  if (found == all_.end()) return;
  wire::BackedUpT told;
  frame.UnPackTo(&told);
  if (told.last) {
    finish(frame.number(), Reply(std::move(told)));
    return;
  }
  found->second.heard_ms = now_ms;
  found->second.done(Reply(std::move(told)));
}

bool Questions::rejected(std::uint64_t number, const Error& error) {
  if (!all_.contains(number)) return false;
  finish(number, tl::unexpected(error));
  return true;
}

void Questions::fail_sent(const Error& error) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, one] : all_) {
    if (one.sent) numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) finish(number, tl::unexpected(error));
}

void Questions::fail_late(std::int64_t now_ms) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, one] : all_) {
    const auto* query = std::get_if<wire::QueryT>(&one.question);
    const bool searches = query != nullptr
                              ? query->kind == wire::QueryKind::as_of || query->kind == wire::QueryKind::trail
                              : std::holds_alternative<wire::EraseT>(one.question);
    if (now_ms - one.heard_ms > (searches ? kSearchMs : kAnswerMs)) numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) {
    finish(number, fail(ErrorKind::unavailable, "the hub did not answer in time; ask again"));
  }
}

void Questions::fail_all(const Error& error) {
  while (!all_.empty()) finish(all_.begin()->first, tl::unexpected(error));
}

}  // namespace carehub::client
