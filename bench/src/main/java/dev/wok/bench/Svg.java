package dev.wok.bench;

import java.util.Locale;

/// Writes SVG: elements with their attributes, numbers to a tenth, text escaped.
final class Svg {
    private final StringBuilder text = new StringBuilder();

    /// Opens an element.
    ///
    /// @param attributes names and values in turn
    Svg open(String name, Object... attributes) {
        tag(name, attributes).append(">\n");
        return this;
    }

    Svg close(String name) {
        text.append("</").append(name).append(">\n");
        return this;
    }

    /// An element without content.
    Svg element(String name, Object... attributes) {
        tag(name, attributes).append("/>\n");
        return this;
    }

    /// An element that holds text.
    Svg text(String name, String content, Object... attributes) {
        tag(name, attributes).append('>').append(escaped(content));
        return close(name);
    }

    private StringBuilder tag(String name, Object... attributes) {
        text.append('<').append(name);
        for (int i = 0; i < attributes.length; i += 2) {
            String value = attributes[i + 1] instanceof Double number
                    ? String.format(Locale.ROOT, "%.1f", number)
                    : String.valueOf(attributes[i + 1]);
            text.append(' ')
                    .append(attributes[i])
                    .append("=\"")
                    .append(escaped(value))
                    .append('"');
        }
        return text;
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
