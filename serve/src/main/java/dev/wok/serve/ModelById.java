package dev.wok.serve;

/// `GET /v1/models/{id}`
final class ModelById implements Route {
    private static final String STEM = "/models/";

    @Override
    public void answer(Call call) {
        String path = call.path();
        call.send(200, ModelList.described(call.models(), path.substring(path.indexOf(STEM) + STEM.length())));
    }
}
