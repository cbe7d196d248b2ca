"""Run by `benchmarks.generation` in vLLM's environment: print its tokens/s as the last line."""

import sys
import time

from vllm import LLM, SamplingParams  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    model, dtype, completions, tokens, repeats, *prompts = sys.argv[1:]
    asked = [
        [{"role": "user", "content": text}] for text in prompts for _ in range(int(completions))
    ]
    llm = LLM(model=model, dtype=dtype, max_model_len=2048, max_num_seqs=len(asked))
    sampling = SamplingParams(temperature=1.0, top_p=1.0, max_tokens=int(tokens), ignore_eos=True)
    llm.chat(asked, sampling, use_tqdm=False)  # warm-up
    seconds = []
    for _ in range(int(repeats)):
        started = time.perf_counter()
        done = llm.chat(asked, sampling, use_tqdm=False)
        seconds.append(time.perf_counter() - started)
    drawn = sum(len(one.outputs[0].token_ids) for one in done)
    print(drawn / min(seconds))


if __name__ == "__main__":
    main()
