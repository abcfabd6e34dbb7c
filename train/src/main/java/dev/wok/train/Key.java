package dev.wok.train;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// What one setting means and which values it takes.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Key {
    /// A few words for the list of settings.
    String value();

    /// The smallest value of a number.
    double min() default 0;

    /// The largest value of a number.
    double max() default Double.POSITIVE_INFINITY;

    /// The words that a string may be; empty where any will do.
    String[] oneOf() default {};

    /// Words that stand for 0.
    String[] zero() default {};

    /// Whether a resumed run may change it, because it changes no number that the run computes.
    boolean free() default false;
}
