#pragma once

#include "tests/simulation/client.hpp"

namespace carehub::simulation {

/// Comes without anything of its own to keep.
class Visitor : public Session {
 public:
  using Session::Session;

 protected:
  void on_welcome(Dice&) override {}
  void on_frame(const wire::Frame&, Dice&) override {}
  void on_turn(Dice&) override {}
  void on_lost() override {}
};

/// A client of a school that tries what it must not.
class Rogue final : public Visitor {
 public:
  Rogue(Network& network, fakes::HandClock& clock) : Visitor("priory-school", network, clock) {}

  void misbehave(Dice& dice);

 private:
  void answer_for(const Interest& other, Dice& dice);
  void speak_in_others_names(const Interest& other, Dice& dice);
  void command(const Interest& other, Dice& dice);
  void babble(Dice& dice);

  std::uint64_t last_number_ = 0;
};

/// An operator, who handles dead letters and subscriptions.
class Operator final : public Visitor {
 public:
  Operator(Network& network, fakes::HandClock& clock) : Visitor("", network, clock) {}

  void handle(const Interest& interest, Sequence sequence, bool again);
  void handle(const Interest& interest, wire::SubscriptionAction action,
              wire::Position position = wire::Position::unknown, Sequence sequence = 0, std::int64_t at = 0);
  void mend(const Interest& interest, Sequence sequence, const Bytes& event);
  /// A part of history goes to that receiver once more.
  void replay_into(const Interest& interest, Sequence head, std::int64_t now_us, Dice& dice);
  /// `person` as on the command line.
  void erase(std::string person, bool preview);

 private:
  std::uint64_t last_number_ = 0;
};

/// Watches what comes, and asks for history again, with the same connection.
class Watcher final : public Visitor {
 public:
  Watcher(const Reader& reader, Network& network, fakes::HandClock& clock)
      : Visitor(reader.agency, network, clock), reader_(reader) {}

  void watch(bool wanted);
  /// All of it or a part, all children or one; as a preview, too.
  void replay(Sequence head, Dice& dice);

 private:
  void on_welcome(Dice&) override { subscribed_ = false; }
  void on_frame(const wire::Frame& frame, Dice& dice) override;
  void on_turn(Dice& dice) override;

  Reader reader_;
  bool wanted_ = false;
  bool subscribed_ = false;
  std::uint32_t to_return_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace carehub::simulation
