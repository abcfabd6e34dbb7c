package dev.wok.tune;

import dev.wok.train.Compute;
import dev.wok.train.Key;
import dev.wok.train.SettingKeys;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// The settings of a pipeline's stages that do not learn.
///
/// @param stage of the stage alone
public record StageSettings<K extends Record>(K stage, Compute compute) {
    /// Writing texts of built-in tasks.
    public record TextKeys(
            @Key("built-in tasks, asked in turn") List<String> tasks,

            @Key(
                    value = "texts to read, of mixed quality, or demonstrations to fine-tune on",
                    oneOf = {"base", "demonstrations"})
            String form,

            @Key(value = "how many", min = 1) long documents) {}

    /// Rejection sampling.
    public record SampleKeys(
            @Key("built-in task or a .jsonl file of problems")
            String task,

            @Key("rewards and their weights, such as accuracy:1")
            List<String> reward,

            @Key(value = "least reward of an answer that is kept", min = -1e9)
            double keepReward,

            @Key("answers to a problem that are kept at most; 0 for all")
            int keepPerProblem,

            @Key("language that answers must not leave, such as en; empty for any")
            String language,

            @Key(
                    value = "how a question is put",
                    oneOf = {"plain", "chat", "r1_zero"})
            String promptForm,

            @Key(value = "problems that are asked", min = 1) long problems,

            @Key(value = "answers to each of them", min = 1) int samples,

            @Key("temperature at which answers are drawn") double temperature,

            @Key(value = "most tokens of an answer", min = 1)
            int maxNewTokens) {}

    /// Measuring on what is held out.
    public record EvalKeys(
            @Key("built-in task or a .jsonl file of problems")
            String task,

            @Key(
                    value = "how a question is put",
                    oneOf = {"plain", "chat", "r1_zero"})
            String promptForm,

            @Key(value = "problems that are asked", min = 1) int problems,

            @Key(value = "answers to each of them", min = 1) int samples,

            @Key("temperature at which answers are drawn") double temperature,

            @Key(value = "most tokens of an answer", min = 1)
            int maxNewTokens) {}

    static <K extends Record> StageSettings<K> of(String name, Class<K> stage, Map<String, String> options) {
        SettingKeys keys = new SettingKeys("wok r1 --help", List.of(stage, Compute.class));
        SequencedMap<String, String> values =
                SettingKeys.resource(StageSettings.class.getResourceAsStream(name + ".yaml"), name);
        options.forEach(keys::parse);
        values.putAll(options);
        List<Record> records = keys.records(values);
        return new StageSettings<>(stage.cast(records.get(0)), (Compute) records.get(1));
    }
}
