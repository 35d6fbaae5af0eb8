export async function measureInspection() { return { measured: null, ratios: [], why: 'later' }; }
