#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace telltale::proxy {

/// What std::string's append is, inline: an access log line is a hundred short pieces. Keeps its room when cleared.
class LineBuilder {
 public:
  LineBuilder() = default;
  LineBuilder(const LineBuilder&) = delete;
  LineBuilder& operator=(const LineBuilder&) = delete;

  LineBuilder& operator+=(char c) {
    if (size_ == capacity_) grow(1);
    data_[size_++] = c;
    return *this;
  }
  LineBuilder& operator+=(std::string_view text) { return append(text.data(), text.size()); }
  LineBuilder& append(const char* text, std::size_t size) {
    if (capacity_ - size_ < size) grow(size);
    // memcpy is given no null pointer, not even for nothing (C17 7.24.1).
    if (size != 0) std::memcpy(data_.get() + size_, text, size);
    size_ += size;
    return *this;
  }

  std::string_view view() const { return {data_.get(), size_}; }
  void clear() { size_ = 0; }

 private:
  void grow(std::size_t more) {
    const std::size_t capacity = 2 * (capacity_ + more) + 1024;
    auto data = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace telltale::proxy
