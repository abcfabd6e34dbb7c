/// What tests share: seeded cases that shrink, damaged inputs, comparison of tensors with stated bounds, gradient
/// checks, fakes.
@org.jspecify.annotations.NullMarked
package dev.wok.testkit;
