package dev.wok.serve;

/// What is answered where.
///
/// @param method of HTTP, `GET` or `POST`
/// @param path from the root, such as `/v1/models`; one that ends in `/{id}` takes every path that
///     begins alike and goes on, whose rest is [Call#id]
/// @param route answers it
record Endpoint(String method, String path, Route route) {
    static final String ID = "/{id}";

    /// @return what paths begin with, where this is for many; else the path
    String stem() {
        return takesId() ? path.substring(0, path.length() - ID.length() + 1) : path;
    }

    boolean takesId() {
        return path.endsWith(ID);
    }
}
