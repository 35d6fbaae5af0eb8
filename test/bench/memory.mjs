export async function measureMemory() { return { measured: null, ratios: [], why: 'later' }; }
