#pragma once
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <picket/base/check.h>
#include <picket/base/error.h>

namespace picket {

/// A value or an Error; member names follow std::expected so that a later switch is an alias.
/// Access to the wrong side aborts, in every build. T may be void.
template <typename T>
class [[nodiscard]] Result {
  public:
    using value_type = T;
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & {
        PICKET_CHECK(has_value());
        return std::get<0>(state_);
    }
    const T& value() const& {
        PICKET_CHECK(has_value());
        return std::get<0>(state_);
    }
    T&& value() && {
        PICKET_CHECK(has_value());
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const {
        PICKET_CHECK(!has_value());
        return std::get<1>(state_);
    }
    template <typename U>
    T value_or(U&& fallback) const& {
        return has_value() ? value() : static_cast<T>(std::forward<U>(fallback));
    }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    void value() const { PICKET_CHECK(has_value()); }
    const Error& error() const {
        PICKET_CHECK(!has_value());
        return *error_;
    }

  private:
    std::optional<Error> error_;
};

namespace detail {
template <typename T>
T take(Result<T>&& result) {
    return std::move(result).value();
}
inline void take(Result<void>&&) {}
} // namespace detail

} // namespace picket

/// Evaluates to the value, or returns the error from the enclosing function:
///   auto bytes = PICKET_TRY(read_file(path));
#define PICKET_TRY(expression)                                                                                         \
    __extension__({                                                                                                    \
        auto picket_try_result = (expression);                                                                         \
        if (!picket_try_result.has_value())                                                                            \
            return picket_try_result.error();                                                                          \
        ::picket::detail::take(std::move(picket_try_result));                                                          \
    })
